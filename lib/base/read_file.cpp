#include "base/read_file.hpp"

#include "base/sys.hpp"

#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace coir::detail {

std::string read_file(const std::string& path, const std::string& purpose) {
    const auto checked = [&](long result) {
        if (result < 0)
            throw std::system_error{static_cast<int>(-result), std::generic_category(), purpose + ": " + path};
        return result;
    };
    const unique_fd file{static_cast<int>(checked(sys::open(path.c_str(), O_RDONLY | O_CLOEXEC, 0)))};
    std::string text;
    std::array<char, 4096> some;  // small, since the stack of a fiber may be small
    while (const long got = checked(sys::read(file.get(), some.data(), some.size()))) {
        text.append(some.data(), static_cast<std::size_t>(got));
    }
    return text;
}

unique_fd open_regular_file(const std::string& path) noexcept {
    const auto opened = [&](int flags) {
        unique_fd file{static_cast<int>(sys::open(path.c_str(), flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0))};
        struct stat about {};
        const bool is_regular = file && sys::fstat(file.get(), &about) == 0 && S_ISREG(about.st_mode);
        return is_regular ? std::move(file) : unique_fd{};
    };
    // With O_PATH the device or FIFO itself is not opened.
    return opened(O_PATH) ? opened(O_RDONLY) : unique_fd{};
}

std::optional<std::string> read_regular_file(const std::string& path, std::size_t bytes_max) {
    const unique_fd file = open_regular_file(path);
    if (!file) return std::nullopt;
    std::string text;
    std::array<char, 4096> some;
    for (long got = 1; got > 0 && text.size() <= bytes_max;) {
        got = sys::read(file.get(), some.data(), some.size());
        if (got < 0) return std::nullopt;
        text.append(some.data(), static_cast<std::size_t>(got));
    }
    return text.size() <= bytes_max ? std::optional{std::move(text)} : std::nullopt;
}

}  // namespace coir::detail
