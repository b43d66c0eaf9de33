#include "detect/calls/classes.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <sys/syscall.h>

namespace coir::detail {

namespace {

using enum blocking_class;

constexpr std::array<std::string_view, 11> class_names{"sleep",   "poll", "network", "pipe",  "disk", "lock",
                                                       "process", "dns",  "signal",  "other", "cpu"};

// The class depends on the descriptor in some calls. The table has the most frequent one.
constexpr auto system_calls = std::to_array<known_system_call>({
#if defined(SYS_poll)
    {SYS_poll, "poll", poll}, {SYS_select, "select", poll}, {SYS_epoll_wait, "epoll_wait", poll},
        {SYS_pause, "pause", signal}, {SYS_open, "open", other}, {SYS_creat, "creat", other},
        {SYS_rename, "rename", other}, {SYS_unlink, "unlink", other}, {SYS_rmdir, "rmdir", other},
        {SYS_mkdir, "mkdir", other}, {SYS_link, "link", other}, {SYS_symlink, "symlink", other},
        {SYS_stat, "stat", other}, {SYS_lstat, "lstat", other}, {SYS_access, "access", other},
        {SYS_fork, "fork", process}, {SYS_vfork, "vfork", process},
#endif
        {SYS_nanosleep, "nanosleep", sleep}, {SYS_clock_nanosleep, "clock_nanosleep", sleep},
        {SYS_ppoll, "ppoll", poll}, {SYS_pselect6, "pselect", poll}, {SYS_epoll_pwait, "epoll_pwait", poll},
        {SYS_epoll_pwait2, "epoll_pwait2", poll}, {SYS_io_uring_enter, "io_uring_enter", poll},
        {SYS_connect, "connect", network}, {SYS_accept, "accept", network}, {SYS_accept4, "accept4", network},
        {SYS_recvfrom, "recvfrom", network}, {SYS_recvmsg, "recvmsg", network}, {SYS_recvmmsg, "recvmmsg", network},
        {SYS_sendto, "sendto", network}, {SYS_sendmsg, "sendmsg", network}, {SYS_sendmmsg, "sendmmsg", network},
        {SYS_read, "read", pipe}, {SYS_write, "write", pipe}, {SYS_readv, "readv", pipe}, {SYS_writev, "writev", pipe},
        {SYS_splice, "splice", pipe}, {SYS_sendfile, "sendfile", disk}, {SYS_pread64, "pread", disk},
        {SYS_pwrite64, "pwrite", disk}, {SYS_fsync, "fsync", disk}, {SYS_fdatasync, "fdatasync", disk},
        {SYS_sync, "sync", disk}, {SYS_syncfs, "syncfs", disk}, {SYS_sync_file_range, "sync_file_range", disk},
        {SYS_msync, "msync", disk}, {SYS_openat, "openat", other}, {SYS_close, "close", other},
        {SYS_unlinkat, "unlinkat", other}, {SYS_renameat2, "renameat2", other}, {SYS_mkdirat, "mkdirat", other},
        {SYS_linkat, "linkat", other}, {SYS_symlinkat, "symlinkat", other}, {SYS_getdents64, "getdents", other},
        {SYS_newfstatat, "fstatat", other}, {SYS_statx, "statx", other}, {SYS_statfs, "statfs", other},
        {SYS_truncate, "truncate", other}, {SYS_ftruncate, "ftruncate", other}, {SYS_fadvise64, "fadvise", other},
        {SYS_ioctl, "ioctl", other}, {SYS_mmap, "mmap", other}, {SYS_munmap, "munmap", other},
        {SYS_mprotect, "mprotect", other}, {SYS_madvise, "madvise", other}, {SYS_mlock, "mlock", other},
        {SYS_membarrier, "membarrier", other}, {SYS_sched_yield, "sched_yield", cpu}, {SYS_execve, "execve", process},
        {SYS_shutdown, "shutdown", network}, {SYS_preadv, "preadv", disk}, {SYS_pwritev, "pwritev", disk},
        {SYS_preadv2, "preadv2", disk}, {SYS_pwritev2, "pwritev2", disk}, {SYS_tee, "tee", pipe},
        {SYS_vmsplice, "vmsplice", pipe}, {SYS_readahead, "readahead", disk},
        {SYS_copy_file_range, "copy_file_range", disk}, {SYS_fallocate, "fallocate", disk}, {SYS_futex, "futex", lock},
        {SYS_flock, "flock", lock}, {SYS_fcntl, "fcntl", lock}, {SYS_semop, "semop", lock},
        {SYS_semtimedop, "semtimedop", lock}, {SYS_msgrcv, "msgrcv", lock}, {SYS_msgsnd, "msgsnd", lock},
        {SYS_mq_timedreceive, "mq_timedreceive", lock}, {SYS_mq_timedsend, "mq_timedsend", lock},
        {SYS_wait4, "wait4", process}, {SYS_waitid, "waitid", process}, {SYS_clone, "clone", process},
        {SYS_clone3, "clone3", process}, {SYS_rt_sigsuspend, "sigsuspend", signal},
        {SYS_rt_sigtimedwait, "sigtimedwait", signal},
#if defined(SYS_futex_waitv)
        {SYS_futex_waitv, "futex_waitv", lock},
#endif
});

constexpr known_system_call unknown_call{-1, "system call", other};

bool is_one_of(std::string_view call, std::initializer_list<std::string_view> names) noexcept {
    return std::ranges::find(names, call) != names.end();
}

}  // namespace

std::string_view to_string(blocking_kind kind) noexcept {
    switch (kind) {
    case blocking_kind::blocked: return "blocked";
    case blocking_kind::hog: return "hog";
    case blocking_kind::latent: return "latent";
    }
    return "";
}

std::string_view to_string(blocking_class category) noexcept { return class_names[static_cast<std::size_t>(category)]; }

std::optional<blocking_class> class_named(std::string_view name) noexcept {
    const auto found = std::ranges::find(class_names, name);
    if (found == class_names.end()) return std::nullopt;
    return static_cast<blocking_class>(found - class_names.begin());
}

std::string names_of_all_classes() {
    std::string all;
    for (const std::string_view each : class_names) all.append(all.empty() ? "" : ", ").append(each);
    return all;
}

std::optional<blocking_classes> classes_in(std::string_view list) noexcept {
    const bool all_but = list.starts_with('-');
    blocking_classes made;
    if (!all_but) made = blocking_classes(std::initializer_list<blocking_class>{});
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(',', at), list.size());
        const std::string_view item = list.substr(at, end - at);
        const std::optional<blocking_class> category = class_named(item.substr(item.starts_with('-') ? 1 : 0));
        if (!category || item.starts_with('-') != all_but) return std::nullopt;
        if (all_but)
            made.erase(*category);
        else
            made.insert(*category);
        at = end + 1;
    }
    return made;
}

std::string form_of_class_list() {
    return "list such as sleep,dns (only these) or -disk,-pipe (all except these) of the classes " +
           names_of_all_classes();
}

std::string_view advice_for(blocking_class category, std::string_view call) noexcept {
    switch (category) {
    case sleep: return "use coir::this_fiber::sleep_for";
    case poll: return "use coir::io::wait_readable or coir::io::wait_writable";
    case network:
        if (call == "connect") return "use coir::net::tcp_stream::connect";
        if (is_one_of(call, {"accept", "accept4"})) return "use coir::net::tcp_listener";
        return "use coir::net::tcp_stream, or coir::io::read_some and write_some on a non-blocking socket";
    case pipe: return "use coir::io::read_some and coir::io::write_some";
    case disk: return "use coir::offload";
    case lock:
        if (is_one_of(call, {"flock", "lockf", "fcntl"})) return "use coir::offload";
        if (call == "pthread_join") return "use a coir::fiber instead of the thread, or coir::offload";
        return "use coir::mutex, coir::condition_variable, coir::event or coir::channel";
    case process: return "use coir::offload";
    case dns: return "use coir::net::resolve";
    case signal: return "use coir::signal_set";
    case other: return "use coir::offload";
    case cpu: return "use coir::offload, or coir::this_fiber::yield now and then";
    }
    return "";
}

const known_system_call& system_call_numbered(long number) noexcept {
    const auto found = std::ranges::find(system_calls, number, &known_system_call::number);
    return found == system_calls.end() ? unknown_call : *found;
}

}  // namespace coir::detail
