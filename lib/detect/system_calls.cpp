#include "detect/system_calls.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/system_call.hpp"
#include "detect/classes.hpp"

namespace coir::detail {

namespace {

using namespace std::chrono_literals;
using sleeps = forecast::sleeps;
using kind = blocking_class;

constexpr auto noticeable = 1ms;

constexpr forecast never{};
constexpr forecast must(kind category) noexcept { return {sleeps::if_it_must, category, 0ns}; }
constexpr forecast at_times(kind category) noexcept { return {sleeps::at_times, category, 0ns}; }
constexpr forecast must_if(bool can, kind category) noexcept { return can ? must(category) : never; }

/// Everything else: open(2) of a FIFO, close(2) with SO_LINGER, a network's file system, a device. A lock of the
/// kernel's that is held for a moment says nothing, and on a busy machine it is milliseconds until the thread's next
/// turn.
constexpr forecast unlikely{sleeps::at_times, kind::other, 10ms};

template <class T> const T* at(long address) noexcept { return reinterpret_cast<const T*>(address); }

// At a null pointer for ever, at zero never.
bool is_zero(const timespec* limit) noexcept { return limit != nullptr && limit->tv_sec == 0 && limit->tv_nsec == 0; }
[[maybe_unused]] bool is_zero(const timeval* limit) noexcept {
    return limit != nullptr && limit->tv_sec == 0 && limit->tv_usec == 0;
}

/// A moment that has passed is not waited for.
bool has_passed(clockid_t clock, const timespec* moment) noexcept {
    timespec now{};
    if (moment == nullptr || ::clock_gettime(clock, &now) != 0) return false;
    return now.tv_sec != moment->tv_sec ? now.tv_sec > moment->tv_sec : now.tv_nsec >= moment->tv_nsec;
}

forecast of_sleep(const timespec* length) noexcept { return must_if(!is_zero(length), kind::sleep); }
forecast of_sleep_until(long clock, const timespec* moment) noexcept {
    return must_if(!has_passed(static_cast<clockid_t>(clock), moment), kind::sleep);
}

/// poll(2) on nothing is a sleep.
forecast of_poll(long count, bool waits) noexcept { return must_if(waits, count == 0 ? kind::sleep : kind::poll); }

bool is_nonblocking(long fd) noexcept {
    const long flags = system_call(SYS_fcntl, static_cast<int>(fd), F_GETFL);
    return flags < 0 || (flags & O_NONBLOCK) != 0;
}

bool is_datagram(long fd) noexcept {
    int type = 0;
    socklen_t bytes = sizeof type;
    return system_call(SYS_getsockopt, static_cast<int>(fd), SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
           type == SOCK_DGRAM;
}

forecast of_socket(long fd, long flags = 0) noexcept {
    return must_if((flags & MSG_DONTWAIT) == 0 && !is_nonblocking(fd), kind::network);
}

/// read(2), write(2) and their kin: it depends on what the descriptor stands for.
forecast of_stream(long fd) noexcept {
    struct stat about {};
    if (system_call(SYS_fstat, static_cast<int>(fd), &about) != 0) return never;
    constexpr unsigned memory_devices = 1;  // /dev/null, /dev/zero, ...
    switch (about.st_mode & S_IFMT) {
    // O_NONBLOCK means nothing to them, and the page cache mostly has it.
    case S_IFREG:
    case S_IFBLK:
    case S_IFDIR: return at_times(kind::disk);
    case S_IFSOCK: return of_socket(fd);
    case S_IFCHR:
        if (major(about.st_rdev) == memory_devices) return never;
        [[fallthrough]];
    // Pipes and terminals; eventfd, timerfd, signalfd, inotify and the like have no type.
    default: return must_if(!is_nonblocking(fd), kind::pipe);
    }
}

/// From one descriptor to another: what there is to wait for is a guess, and a file is waited for the shortest.
forecast of_transfer(long from, long to) noexcept {
    for (const forecast& side : {of_stream(from), of_stream(to)}) {
        if (side.when == sleeps::if_it_must) return at_times(side.category);
    }
    return at_times(kind::disk);
}

/// What a program prints is of no interest, unless its reader keeps it waiting.
forecast of_output(long fd) noexcept {
    forecast said = of_stream(fd);
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO) said.least = noticeable;
    return said;
}

forecast of_futex(long operation, long limit) noexcept {
    const clockid_t clock = (operation & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT: return must_if(!is_zero(at<timespec>(limit)), kind::lock);
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI: return must_if(!has_passed(clock, at<timespec>(limit)), kind::lock);
    case FUTEX_LOCK_PI: return must_if(!has_passed(CLOCK_REALTIME, at<timespec>(limit)), kind::lock);
    default: return never;
    }
}

forecast of_semaphores(long operations, long count, const timespec* limit) noexcept {
    const auto* const first = at<sembuf>(operations);
    const bool waits = std::any_of(
        first, first + count, [](const sembuf& each) { return each.sem_op <= 0 && (each.sem_flg & IPC_NOWAIT) == 0; });
    return must_if(waits && !is_zero(limit), kind::lock);
}

}  // namespace

forecast forecast_of(const trapped_call& call) noexcept {
    const auto& [a, b, c, d, e, f] = call.arguments;
    switch (call.number) {
    case SYS_nanosleep: return of_sleep(at<timespec>(a));
    case SYS_clock_nanosleep:
        return (b & TIMER_ABSTIME) != 0 ? of_sleep_until(a, at<timespec>(c)) : of_sleep(at<timespec>(c));

    case SYS_ppoll: return of_poll(b, !is_zero(at<timespec>(c)));
    case SYS_pselect6: return of_poll(a, !is_zero(at<timespec>(e)));
    case SYS_epoll_pwait: return must_if(static_cast<int>(d) != 0, kind::poll);
    case SYS_epoll_pwait2: return must_if(!is_zero(at<timespec>(d)), kind::poll);
    case SYS_io_uring_enter: return must_if(c > 0, kind::poll);

    case SYS_connect: return is_datagram(a) ? never : of_socket(a);
    case SYS_accept:
    case SYS_accept4: return of_socket(a);
    case SYS_recvfrom:
    case SYS_sendto: return of_socket(a, d);
    case SYS_recvmsg:
    case SYS_sendmsg: return of_socket(a, c);
    case SYS_recvmmsg:
    case SYS_sendmmsg: return of_socket(a, d);

    case SYS_read:
    case SYS_readv:
    case SYS_pread64:
    case SYS_preadv:
    case SYS_preadv2: return of_stream(a);
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_pwritev2: return of_output(a);
    case SYS_splice: return of_transfer(a, c);
    case SYS_tee: return of_transfer(a, b);
    case SYS_vmsplice: return of_transfer(a, a);
    case SYS_sendfile: return of_transfer(b, a);
    case SYS_copy_file_range:
    case SYS_fallocate:
    case SYS_readahead: return at_times(kind::disk);
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_sync:
    case SYS_syncfs:
    case SYS_sync_file_range: return must(kind::disk);
    case SYS_msync: return must_if((c & MS_SYNC) != 0, kind::disk);

    case SYS_futex: return of_futex(b, d);
    case SYS_flock: return must_if((b & (LOCK_NB | LOCK_UN)) == 0, kind::lock);
    case SYS_fcntl:
        return must_if((b == F_SETLKW || b == F_OFD_SETLKW) && at<struct flock>(c)->l_type != F_UNLCK, kind::lock);
    case SYS_semop: return of_semaphores(b, c, nullptr);
    case SYS_semtimedop: return of_semaphores(b, c, at<timespec>(d));
    case SYS_msgsnd: return must_if((d & IPC_NOWAIT) == 0, kind::lock);
    case SYS_msgrcv: return must_if((e & IPC_NOWAIT) == 0, kind::lock);
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
        return must_if(!is_nonblocking(a) && !has_passed(CLOCK_REALTIME, at<timespec>(e)), kind::lock);
#if defined(SYS_futex_waitv)
    case SYS_futex_waitv: return must(kind::lock);
#endif

    case SYS_sched_yield: return {sleeps::yields, kind::cpu, 0ns};

    case SYS_wait4: return must_if((c & WNOHANG) == 0, kind::process);
    case SYS_waitid: return must_if((d & WNOHANG) == 0, kind::process);

    case SYS_rt_sigsuspend: return must(kind::signal);
    case SYS_rt_sigtimedwait: return must_if(!is_zero(at<timespec>(c)), kind::signal);

#if defined(__x86_64__)
    case SYS_poll: return of_poll(b, static_cast<int>(c) != 0);
    case SYS_select: return of_poll(a, !is_zero(at<timeval>(e)));
    case SYS_epoll_wait: return must_if(static_cast<int>(d) != 0, kind::poll);
    case SYS_pause: return must(kind::signal);
#endif
    default: return unlikely;
    }
}

call_name name_of_system_call(long number) noexcept {
    const known_system_call& known = system_call_numbered(number);
    if (known.number == number) return known.name;
    std::array<char, 32> text{"system call "};
    const std::to_chars_result end = std::to_chars(text.data() + 12, text.data() + text.size(), number);
    return std::string_view{text.data(), end.ptr};
}

}  // namespace coir::detail
