#include "detect/calls/system_calls.hpp"

#include "base/is_readable.hpp"
#include "base/system_call.hpp"
#include "detect/calls/known_calls.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

namespace coir::detail {

namespace {

using category = blocking_class;

constexpr long semaphore_operations_max = 1 << 15;  // semop(2) refuses more than its limit, by default 500

template <class T> const T* at(long address) noexcept { return reinterpret_cast<const T*>(address); }

call_model of_sleep_until(long clock, const timespec* moment) noexcept {
    return may_sleep_if(moment != nullptr && !is_over(static_cast<clockid_t>(clock), moment), category::sleep);
}

/// For a transfer between two descriptors, which may wait for either. Uses the class of a side that is not a file,
/// since waits for files are short.
call_model of_transfer(long from, long to) noexcept {
    for (const call_model& side : {model_of_read(from), model_of_write(to)}) {
        if (side.when == call_model::sleeps::unless_ready) return unpredictable(side.category);
    }
    return unpredictable(category::disk);
}

/// For calls that look up a path, or the open file `folder` if the path is empty. The kernel also takes a null pointer
/// for an empty path.
call_model of_look_up(long folder, long path) noexcept {
    const char* const text = at<char>(path);
    if (text == nullptr) return model_of_open_file(folder);
    if (!is_readable(text, 1)) return never_sleeps;
    return *text == '\0' ? model_of_open_file(folder) : model_of_path(folder, text);
}

call_model of_futex(long operation, long limit) noexcept {
    const clockid_t clock = (operation & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT: return may_sleep_if(!is_zero(at<timespec>(limit)), category::lock);
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI: return may_sleep_if(!is_over(clock, at<timespec>(limit)), category::lock);
    case FUTEX_LOCK_PI: return may_sleep_if(!is_over(CLOCK_REALTIME, at<timespec>(limit)), category::lock);
    default: return never_sleeps;
    }
}

/// Whether fcntl(2) locks, and does not unlock.
bool is_lock(const struct flock* wanted) noexcept {
    return is_readable(wanted, sizeof *wanted) && wanted->l_type != F_UNLCK;
}

call_model of_semaphores(long operations, long count, const timespec* limit) noexcept {
    const auto* const first = at<sembuf>(operations);
    if (count <= 0 || count > semaphore_operations_max) return never_sleeps;
    if (!is_readable(first, static_cast<std::size_t>(count) * sizeof *first)) return never_sleeps;
    const bool waits = std::any_of(
        first, first + count, [](const sembuf& each) { return each.sem_op <= 0 && (each.sem_flg & IPC_NOWAIT) == 0; });
    return may_sleep_if(waits && !is_zero(limit), category::lock);
}

}  // namespace

call_model model_of(const trapped_call& call) noexcept {
    const auto& [a, b, c, d, e, f] = call.arguments;
    switch (call.number) {
    case SYS_nanosleep: return model_of_sleep(at<timespec>(a));
    case SYS_clock_nanosleep:
        return (b & TIMER_ABSTIME) != 0 ? of_sleep_until(a, at<timespec>(c)) : model_of_sleep(at<timespec>(c));

    case SYS_ppoll: return model_of_poll(b, !is_zero(at<timespec>(c)));
    case SYS_pselect6: return model_of_poll(a, !is_zero(at<timespec>(e)));
    case SYS_epoll_pwait: return may_sleep_if(static_cast<int>(d) != 0, category::poll);
    case SYS_epoll_pwait2: return may_sleep_if(!is_zero(at<timespec>(d)), category::poll);
    case SYS_io_uring_enter: return may_sleep_if(c > 0, category::poll);

    case SYS_connect: return model_of_connect(a);
    case SYS_accept:
    case SYS_accept4: return model_of_socket(a);
    case SYS_recvfrom: return model_of_socket(a, d);
    case SYS_sendto: return model_of_send(a, d);
    case SYS_recvmsg: return model_of_socket(a, c);
    case SYS_sendmsg: return model_of_send(a, c);
    case SYS_recvmmsg: return model_of_socket(a, d);
    case SYS_sendmmsg: return model_of_send(a, d);

    case SYS_close: return model_of_close(a);

    case SYS_read:
    case SYS_readv:
    case SYS_pread64:
    case SYS_preadv:
    case SYS_preadv2: return model_of_read(a);
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_pwritev2: return model_of_write(a);
    case SYS_splice: return of_transfer(a, c);
    case SYS_tee: return of_transfer(a, b);
    case SYS_vmsplice: return of_transfer(a, a);
    case SYS_sendfile: return of_transfer(b, a);
    case SYS_copy_file_range:
    case SYS_fallocate:
    case SYS_readahead: return unpredictable(category::disk);
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_syncfs:
    case SYS_sync_file_range: return model_of_sync(a);
    case SYS_sync: return may_sleep(category::disk);
    case SYS_msync: return may_sleep_if((c & MS_SYNC) != 0, category::disk);

    case SYS_futex: return of_futex(b, d);
    case SYS_flock: return may_sleep_if((b & (LOCK_NB | LOCK_UN)) == 0, category::lock);
    case SYS_fcntl:
        return may_sleep_if((b == F_SETLKW || b == F_OFD_SETLKW) && is_lock(at<struct flock>(c)), category::lock);
    case SYS_semop: return of_semaphores(b, c, nullptr);
    case SYS_semtimedop: return of_semaphores(b, c, at<timespec>(d));
    case SYS_msgsnd: return may_sleep_if((d & IPC_NOWAIT) == 0, category::lock);
    case SYS_msgrcv: return may_sleep_if((e & IPC_NOWAIT) == 0, category::lock);
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
        return may_sleep_if(!is_nonblocking(a) && !is_over(CLOCK_REALTIME, at<timespec>(e)), category::lock);
#if defined(SYS_futex_waitv)
    case SYS_futex_waitv: return may_sleep(category::lock);
#endif

    // The kernel answers from its memory. Where the thread sleeps all the same, the call is not the reason: a page of the
    // program was not there, or its map of pages was being copied for a child.
    case SYS_clock_gettime:
    case SYS_clock_getres:
    case SYS_gettimeofday:
    case SYS_getcpu:
    case SYS_getpid:
    case SYS_gettid:
    case SYS_getrusage: return never_sleeps;

    case SYS_sched_yield: return {.when = call_model::sleeps::yields, .category = category::cpu};

    case SYS_openat:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_faccessat:
    case SYS_readlinkat:
    case SYS_unlinkat:
    case SYS_renameat2: return of_look_up(a, b);
    case SYS_getdents64: return model_of_open_file(a);

    case SYS_wait4: return may_sleep_if((c & WNOHANG) == 0, category::process);
    case SYS_waitid: return may_sleep_if((d & WNOHANG) == 0, category::process);

    case SYS_rt_sigsuspend: return may_sleep(category::signal);
    case SYS_rt_sigtimedwait: return may_sleep_if(!is_zero(at<timespec>(c)), category::signal);

#if defined(__x86_64__)
    case SYS_poll: return model_of_poll(b, static_cast<int>(c) != 0);
    case SYS_select: return model_of_poll(a, !is_zero(at<timeval>(e)));
    case SYS_epoll_wait: return may_sleep_if(static_cast<int>(d) != 0, category::poll);
    case SYS_pause: return may_sleep(category::signal);
    case SYS_open:
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_readlink:
    case SYS_unlink:
    case SYS_rename: return of_look_up(AT_FDCWD, a);
#endif
    default: return seldom_sleeps(call_model::sleeps::unpredictable);  // a device
    }
}

call_name name_of_system_call(long number) noexcept {
    if (const known_call& known = call_numbered(number); !known.name.empty()) return known.name;
    std::array<char, 32> text{"system call "};
    const std::to_chars_result end = std::to_chars(text.data() + 12, text.data() + text.size(), number);
    return std::string_view{text.data(), end.ptr};
}

}  // namespace coir::detail
