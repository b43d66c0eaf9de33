#include "detect/calls/known_calls.hpp"

#include <algorithm>
#include <sys/syscall.h>

namespace coir::detail {

namespace {

using enum blocking_class;
using enum level_rule;

// System calls that not every processor or C library has.
#if defined(SYS_poll)
constexpr long sys_poll = SYS_poll, sys_select = SYS_select, sys_epoll_wait = SYS_epoll_wait, sys_pause = SYS_pause;
constexpr long sys_open = SYS_open, sys_creat = SYS_creat, sys_rename = SYS_rename, sys_unlink = SYS_unlink;
constexpr long sys_rmdir = SYS_rmdir, sys_mkdir = SYS_mkdir, sys_link = SYS_link, sys_symlink = SYS_symlink;
constexpr long sys_stat = SYS_stat, sys_lstat = SYS_lstat, sys_access = SYS_access, sys_readlink = SYS_readlink;
constexpr long sys_fork = SYS_fork, sys_vfork = SYS_vfork, sys_renameat = SYS_renameat;
#else
constexpr long sys_poll = -1, sys_select = -1, sys_epoll_wait = -1, sys_pause = -1;
constexpr long sys_open = -1, sys_creat = -1, sys_rename = -1, sys_unlink = -1;
constexpr long sys_rmdir = -1, sys_mkdir = -1, sys_link = -1, sys_symlink = -1;
constexpr long sys_stat = -1, sys_lstat = -1, sys_access = -1, sys_readlink = -1;
constexpr long sys_fork = -1, sys_vfork = -1, sys_renameat = -1;
#endif
#if defined(SYS_futex_waitv)
constexpr long sys_futex_waitv = SYS_futex_waitv;
#else
constexpr long sys_futex_waitv = -1;
#endif

constexpr std::array<long, 4> none{-1, -1, -1, -1};

constexpr std::array<long, 4> of(long one, long two = -1, long three = -1, long four = -1) {
    return {one, two, three, four};
}

constexpr std::string_view use_offload = "use coir::offload";
constexpr std::string_view use_files = "use coir::io::file, or coir::offload";
constexpr std::string_view use_listener = "use coir::net::tcp_listener";
constexpr std::string_view use_process = "use coir::run_process, or coir::process";
constexpr std::string_view use_file_lock = "use coir::offload";

constexpr auto calls = std::to_array<known_call>({
    {"nanosleep", "clock_nanosleep usleep sleep thrd_sleep", of(SYS_nanosleep, SYS_clock_nanosleep), sleep, always},

    {"poll", "ppoll __poll_chk __ppoll_chk", of(sys_poll, SYS_ppoll), poll, always},
    {"select", "pselect", of(sys_select, SYS_pselect6), poll, always},
    {"epoll_wait", "epoll_pwait epoll_pwait2", of(sys_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2), poll, always},
    {"io_uring_enter", "", of(SYS_io_uring_enter), poll, always},

    {"connect", "", of(SYS_connect), network, always, "use coir::net::tcp_stream::connect"},
    {"accept", "accept4", of(SYS_accept, SYS_accept4), network, always, use_listener},
    {"recv", "recvfrom __recv_chk __recvfrom_chk", of(SYS_recvfrom), network, always},
    {"recvmsg", "", of(SYS_recvmsg), network, always},
    {"recvmmsg", "", of(SYS_recvmmsg), network, always},
    {"send", "sendto", of(SYS_sendto), network, always},
    {"sendmsg", "", of(SYS_sendmsg), network, always},
    {"sendmmsg", "", of(SYS_sendmmsg), network, always},
    {"shutdown", "", of(SYS_shutdown), network},

    {"read", "__read_chk fgetc getc getchar fgets fread getline fscanf scanf", of(SYS_read), pipe, always},
    {"write", "fputc putc putchar fputs puts fwrite fprintf printf fflush", of(SYS_write), pipe, always},
    {"readv", "", of(SYS_readv), pipe, always},
    {"writev", "", of(SYS_writev), pipe, always},
    {"eventfd_read", "", none, pipe, always, "use coir::event, or coir::promise for other threads"},
    {"eventfd_write", "", none, pipe, always, "use coir::event, or coir::promise for other threads"},
    {"timerfd_read", "", none, pipe, always, "use coir::this_fiber::sleep_for"},
    {"inotify_read", "", none, pipe, always, "use coir::io::directory_watch"},
    {"splice", "", of(SYS_splice), pipe, always},
    {"tee", "", of(SYS_tee), pipe, always},
    {"vmsplice", "", of(SYS_vmsplice), pipe, always},

    {"sendfile", "sendfile64", of(SYS_sendfile), disk},
    {"pread", "pread64 __pread_chk __pread64_chk", of(SYS_pread64), disk, once_long, use_files},
    {"pwrite", "pwrite64", of(SYS_pwrite64), disk, once_long, use_files},
    {"preadv", "preadv2 preadv64 preadv64v2", of(SYS_preadv, SYS_preadv2), disk, once_long, use_files},
    {"pwritev", "pwritev2 pwritev64 pwritev64v2", of(SYS_pwritev, SYS_pwritev2), disk, once_long, use_files},
    {"fsync", "", of(SYS_fsync), disk, always},
    {"fdatasync", "", of(SYS_fdatasync), disk, always},
    {"sync", "", of(SYS_sync), disk, always},
    {"syncfs", "", of(SYS_syncfs), disk, always},
    {"sync_file_range", "", of(SYS_sync_file_range), disk, always},
    {"msync", "", of(SYS_msync), disk, always},
    {"copy_file_range", "", of(SYS_copy_file_range), disk},
    {"fallocate", "posix_fallocate", of(SYS_fallocate), disk},
    {"readahead", "", of(SYS_readahead), disk},
    {"dlopen", "dlmopen", none, disk},

    {"pthread_mutex_lock",
     "pthread_mutex_timedlock pthread_mutex_clocklock mtx_lock mtx_timedlock flockfile __lll_lock_wait "
     "__lll_lock_wait_private lll_lock_wait lll_lock_wait_private",
     none, lock, once_long},
    {"pthread_rwlock_rdlock", "pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock", none, lock, once_long},
    {"pthread_rwlock_wrlock", "pthread_rwlock_timedwrlock pthread_rwlock_clockwrlock", none, lock, once_long},
    {"pthread_cond_wait", "pthread_cond_timedwait pthread_cond_clockwait cnd_wait cnd_timedwait", none, lock,
     once_asleep},
    {"pthread_join", "pthread_timedjoin_np pthread_clockjoin_np thrd_join __pthread_clockjoin_ex", none, lock,
     once_asleep, "use a coir::fiber instead of the thread, or coir::offload"},
    {"pthread_barrier_wait", "", none, lock, once_asleep},
    {"pthread_once", "call_once pthread_once_slow", none, lock, once_asleep},
    {"sem_wait", "sem_timedwait sem_clockwait sem_wait_slow64", none, lock, once_asleep},
    {"__cxa_guard_acquire", "", none, lock, once_asleep,
     "initialise the static object before the fibers run, or use coir::once_flag"},
    {"futex", "futex_waitv", of(SYS_futex, sys_futex_waitv), lock, once_asleep},
    {"flock", "", of(SYS_flock), lock, once_long, use_file_lock},
    {"fcntl", "lockf lockf64 fcntl64", of(SYS_fcntl), lock, once_long, use_file_lock},
    {"semop", "semtimedop", of(SYS_semop, SYS_semtimedop), lock, once_asleep},
    {"msgrcv", "", of(SYS_msgrcv), lock, once_asleep},
    {"msgsnd", "", of(SYS_msgsnd), lock, once_asleep},
    {"mq_receive", "mq_timedreceive __mq_timedreceive_time64", of(SYS_mq_timedreceive), lock, once_asleep},
    {"mq_send", "mq_timedsend __mq_timedsend_time64", of(SYS_mq_timedsend), lock, once_asleep},

    {"waitpid", "wait wait3 wait4", of(SYS_wait4), process, always, use_process},
    {"waitid", "", of(SYS_waitid), process, always, use_process},
    {"system", "", none, process, always, use_process},
    {"popen", "", none, process, always, use_process},
    {"pclose", "", none, process, always, use_process},
    {"posix_spawn", "posix_spawnp", none, process, warning, use_process},
    {"vfork", "", of(sys_vfork), process, warning, use_process},
    {"fork", "", of(sys_fork), process, once_long, use_process},
    {"clone", "clone3", of(SYS_clone, SYS_clone3), process, once_long},
    {"execve", "execveat fexecve", of(SYS_execve), process},

    {"getaddrinfo", "", none, dns, always},
    {"getnameinfo", "", none, dns, always},
    {"gethostbyname", "gethostbyname2 gethostbyname_r gethostbyname2_r", none, dns, always},
    {"gethostbyaddr", "gethostbyaddr_r", none, dns, always},
    {"res_query", "res_search res_nquery res_nsearch __res_nsearch __res_context_search", none, dns, always},

    {"sigsuspend", "", of(SYS_rt_sigsuspend), signal, always},
    {"sigtimedwait", "sigwait sigwaitinfo", of(SYS_rt_sigtimedwait), signal, always},
    {"pause", "", of(sys_pause), signal, always},

    {"open", "openat creat open64 openat64 creat64 fopen", of(SYS_openat, sys_open, sys_creat), other},
    {"close", "fclose", of(SYS_close), other},
    {"rename", "renameat renameat2", of(SYS_renameat2, sys_rename, sys_renameat), other},
    {"unlink", "unlinkat remove", of(SYS_unlinkat, sys_unlink), other},
    {"rmdir", "", of(sys_rmdir), other},
    {"mkdir", "mkdirat", of(SYS_mkdirat, sys_mkdir), other},
    {"link", "linkat", of(SYS_linkat, sys_link), other},
    {"symlink", "symlinkat", of(SYS_symlinkat, sys_symlink), other},
    {"readlink", "readlinkat", of(SYS_readlinkat, sys_readlink), other},
    {"access", "faccessat", of(SYS_faccessat, sys_access), other},
    {"getdents", "getdents64 readdir readdir64", of(SYS_getdents64), other},
    {"stat", "lstat fstatat stat64 lstat64 fstatat64 statx", of(SYS_newfstatat, SYS_statx, sys_stat, sys_lstat), other},
    {"statfs", "fstatfs statvfs fstatvfs", of(SYS_statfs, SYS_fstatfs), other},
    {"truncate", "ftruncate", of(SYS_truncate, SYS_ftruncate), other},
    {"fadvise", "posix_fadvise", of(SYS_fadvise64), other},
    {"ioctl", "", of(SYS_ioctl), other},
    {"mmap", "mmap64", of(SYS_mmap), other},
    {"munmap", "", of(SYS_munmap), other},
    {"mprotect", "", of(SYS_mprotect), other},
    {"madvise", "", of(SYS_madvise), other},
    {"brk", "sbrk", of(SYS_brk), other},
    {"mlock", "", of(SYS_mlock), other},
    {"membarrier", "", of(SYS_membarrier), other},
    {"sched_yield", "", of(SYS_sched_yield), cpu, always},
});

constexpr known_call unknown{"", "", none, other, once_long};

bool is_word_of(std::string_view words, std::string_view wanted) noexcept {
    for (std::size_t at = words.find(wanted); at != words.npos; at = words.find(wanted, at + 1)) {
        const std::size_t end = at + wanted.size();
        if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' ')) return true;
    }
    return false;
}

}  // namespace

std::span<const known_call> all_calls() noexcept { return calls; }

bool is_telling_function(const known_call& call) noexcept {
    return !call.name.empty() && std::ranges::all_of(call.numbers, [](long each) { return each < 0; });
}

const known_call& call_named(std::string_view function) noexcept {
    const auto found = std::ranges::find_if(calls, [&](const known_call& each) {
        return each.name == function || (!function.empty() && is_word_of(each.functions, function));
    });
    return found == calls.end() ? unknown : *found;
}

const known_call& call_numbered(long number) noexcept {
    const auto found = std::ranges::find_if(calls, [&](const known_call& each) {
        return number >= 0 && std::ranges::find(each.numbers, number) != each.numbers.end();
    });
    return found == calls.end() ? unknown : *found;
}

blocking_level level_of_call(std::string_view call, level_rule rule, bool slept, bool for_long) noexcept {
    switch (rule == by_call ? call_named(call).rule : rule) {
    case always: return blocking_level::error;
    case once_asleep: return slept ? blocking_level::error : blocking_level::warning;
    case by_call:
    case once_long: return for_long ? blocking_level::error : blocking_level::warning;
    case warning: return blocking_level::warning;
    case note: return blocking_level::note;
    }
    return blocking_level::error;
}

std::string_view remedy_for(blocking_class category, std::string_view call) noexcept {
    const known_call& known = call_named(call);
    if (known.category == category && !known.remedy.empty()) return known.remedy;
    switch (category) {
    case sleep: return "use coir::this_fiber::sleep_for";
    case poll: return "use coir::io::wait_readable or coir::io::wait_writable";
    case network: return "use coir::net::tcp_stream, or O_NONBLOCK or MSG_DONTWAIT, and coir::io::wait_readable";
    case pipe: return "set O_NONBLOCK, and use coir::io::read_some and write_some";
    case lock: return "use coir::mutex, coir::condition_variable, coir::event or coir::channel";
    case dns: return "use coir::net::resolve";
    case signal: return "use coir::signal_set";
    case cpu: return "use coir::offload, or coir::this_fiber::yield now and then";
    case process: return use_process;
    case disk:
    case other: return use_offload;
    }
    return "";
}

}  // namespace coir::detail
