#include <coir/detail/base/scope_exit.hpp>
#include <coir/io/byte_stream.hpp>
#include <coir/io/io.hpp>

#include "base/sys.hpp"
#include "io/polled_fd.hpp"
#include "thread/offload_in.hpp"

#include <fcntl.h>

namespace coir::io {

namespace {

using detail::direction;
using detail::scheduler;

/// Waits on a descriptor of the program. It is registered anew for each wait, since the program may close it at any
/// time.
std::error_code park_on(scheduler& here, int fd, direction towards, const deadline& until) try {
    detail::reactor& reactor = here.reactor();
    detail::waiter me{here.running(), towards == direction::read ? "input from descriptor" : "output to descriptor"};
    me.descriptor = fd;
    if (!reactor.prepare_borrowed(fd, me, towards)) {
        here.yield_if_due();
        return {};
    }
    const detail::scope_exit at_end{[&] { reactor.finish_borrowed(fd); }};
    const std::error_code ended = detail::park_on_descriptor(here, me, until);
    const bool is_late = me.result == detail::outcome::timed_out && !detail::is_ready_now(fd, towards);
    return is_late ? std::make_error_code(std::errc::timed_out) : ended;
} catch (const std::system_error& refused) {
    return refused.code();
}

std::error_code wait_for(const char* operation, int fd, direction towards, const deadline& until) {
    // `enter` before each wait of a call: a stop may have come between a wake and the next attempt.
    return park_on(scheduler::enter(operation), fd, towards, until);
}

/// How a descriptor must be read and written.
enum class nature { pollable, file };

nature nature_of(int fd, std::error_code& ec) {
    struct stat about {};
    ec = detail::error_of(detail::sys::fstat(fd, &about));
    if (ec) return nature::pollable;
    if (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode) || S_ISDIR(about.st_mode)) return nature::file;
    // A blocking call would stop all fibers of the thread.
    if ((detail::sys::status_flags(fd) & O_NONBLOCK) == 0) ec = std::make_error_code(std::errc::invalid_argument);
    return nature::pollable;
}

/// Tries, waits and tries again. A thread of the pool makes calls that may wait for a disk.
template <class Attempt>
std::size_t transfer(const char* operation, int fd, direction towards, const deadline& until, std::error_code& ec,
                     Attempt attempt) {
    scheduler& here = scheduler::enter(operation);
    const nature is = nature_of(fd, ec);
    if (ec) return 0;
    here.yield_if_due();
    const long moved = detail::try_wait_again(
        until, ec, [&] { return is == nature::file ? detail::offload_in(detail::lane::files, attempt) : attempt(); },
        [&] { return wait_for(operation, fd, towards, until); });
    return moved < 0 ? 0 : static_cast<std::size_t>(moved);
}

}  // namespace

void wait_readable(int fd, deadline until, std::error_code& ec) {
    ec = wait_for("io::wait_readable", fd, direction::read, until);
}

void wait_writable(int fd, deadline until, std::error_code& ec) {
    ec = wait_for("io::wait_writable", fd, direction::write, until);
}

std::size_t read_some(int fd, std::span<std::byte> into, deadline until, std::error_code& ec) {
    return transfer("io::read_some", fd, direction::read, until, ec,
                    [=] { return detail::sys::read(fd, into.data(), into.size()); });
}

std::size_t write_some(int fd, std::span<const std::byte> from, deadline until, std::error_code& ec) {
    return transfer("io::write_some", fd, direction::write, until, ec,
                    [=] { return detail::sys::write(fd, from.data(), from.size()); });
}

std::size_t read_exactly(int fd, std::span<std::byte> into, deadline until, std::error_code& ec) {
    return detail::transfer_all(into.size(), ec,
                                [&](std::size_t done) { return read_some(fd, into.subspan(done), until, ec); });
}

std::size_t write_all(int fd, std::span<const std::byte> from, deadline until, std::error_code& ec) {
    return detail::transfer_all(from.size(), ec,
                                [&](std::size_t done) { return write_some(fd, from.subspan(done), until, ec); });
}

}  // namespace coir::io
