#include "base/read_file.hpp"

#include "base/sys.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <fcntl.h>
#include <system_error>

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

}  // namespace coir::detail
