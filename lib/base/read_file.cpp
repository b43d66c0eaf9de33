#include "base/read_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/unique_fd.hpp"

namespace coir::detail {

std::string read_file(const std::string& path, const std::string& purpose) {
    const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::string text;
    std::array<char, 1 << 16> some;
    ssize_t got = file ? 1 : -1;
    while (got > 0) {
        got = ::read(file.get(), some.data(), some.size());
        if (got > 0) text.append(some.data(), static_cast<std::size_t>(got));
    }
    if (got < 0) throw std::system_error{errno, std::generic_category(), purpose + ": " + path};
    return text;
}

}  // namespace coir::detail
