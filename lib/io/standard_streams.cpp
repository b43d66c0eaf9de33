#include <coir/detail/base/throw_if.hpp>
#include <coir/io/standard_streams.hpp>

#include "base/sys.hpp"
#include "io/hand_over.hpp"

#include <fcntl.h>
#include <string>
#include <sys/stat.h>

namespace coir::io {

using detail::error_of;
namespace sys = detail::sys;

namespace {

/// Opens the pipe or terminal of `fd` again, to get a file description with flags of its own. -1 if that is not
/// possible: a terminal can be opened only by its owner.
int reopened(int fd, int mode) {
    struct stat about {};
    if (sys::fstat(fd, &about) != 0 || !(S_ISFIFO(about.st_mode) || sys::is_terminal(fd))) return -1;
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return static_cast<int>(sys::open(path.c_str(), mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0));
}

detail::unique_fd own_descriptor_for(int fd, int mode, const char* operation) {
    if (const int opened = reopened(fd, mode); opened >= 0) return detail::unique_fd{opened};
    const long duplicate = sys::duplicate(fd);
    detail::throw_if(error_of(duplicate), operation, fd);
    return detail::unique_fd{static_cast<int>(duplicate)};
}

template <class Stream> Stream stream_on(int fd, int mode, const char* operation) {
    return detail::hand_over<Stream>(own_descriptor_for(fd, mode, operation));
}

}  // namespace

reader standard_input() { return stream_on<reader>(0, O_RDONLY, "io::standard_input"); }
writer standard_output() { return stream_on<writer>(1, O_WRONLY, "io::standard_output"); }
writer standard_error() { return stream_on<writer>(2, O_WRONLY, "io::standard_error"); }

}  // namespace coir::io
