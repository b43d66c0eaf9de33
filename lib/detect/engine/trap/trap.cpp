#include "detect/engine/trap/trap.hpp"

#include <coir/detail/base/fork_generation.hpp>

#include "base/system_call.hpp"
#include "detect/calls/named_functions.hpp"
#include "detect/engine/trap/kernel_sigaction.hpp"
#include "detect/engine/trap/observation.hpp"
#include "detect/engine/trap/sanitizer_runtime.hpp"
#include "detect/engine/trap/trap_handler.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <link.h>
#include <mutex>
#include <string_view>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>

extern "C" {
// Defined by the linker: begin and end of the section that base/system_call_*.S and trap_*.S put their code in.
extern const char __start_coir_system_calls[];
extern const char __stop_coir_system_calls[];
}

namespace coir::detail {

namespace {

#if !defined(PR_SET_SYSCALL_USER_DISPATCH)
#define PR_SET_SYSCALL_USER_DISPATCH 59  // linux/prctl.h, since 5.11
#endif

constexpr long dispatch_off = 0;
constexpr long dispatch_on = 1;

/// The process-wide SIGSYS handler. Installed while any thread has traps.
class sigsys_handler {
public:
    /// Returns false if another copy of coir in this process has installed its handler, which cannot serve our threads.
    [[nodiscard]] bool acquire() {
        const std::lock_guard lock{mutex_};
        find_named_functions();
        if (!install_as_the_only_one()) return false;
        process_ = static_cast<pid_t>(system_call(SYS_getpid));
        forks_before_ = fork_count();
        users_.fetch_add(1);
        mend();
        return true;
    }

    /// For the watchdog's thread; see `mend_signal_handlers`. Takes no lock, since the process may be forked meanwhile.
    bool mend_while_in_use() noexcept {
        is_mending_.store(true);
        const bool in_use = is_in_use();
        if (in_use) mend();
        is_mending_.store(false);
        return in_use;
    }

    void release() {
        const std::lock_guard lock{mutex_};
        if (users_.fetch_sub(1) > 1) return;
        while (is_mending_.load()) system_call(SYS_sched_yield);
        const kernel_sigaction& program_action = program_sigsys_action();
        system_call(SYS_rt_sigaction, SIGSYS, &program_action, nullptr, sizeof program_action.mask);
    }

    /// Whether this is a child of vfork(2). It has its own actions, and traps none of its calls, but what it writes in
    /// memory its parent sees.
    [[nodiscard]] bool is_child_with_shared_memory() const noexcept {
        return system_call(SYS_getpid) != process_ && fork_count() == forks_before_;
    }

    /// Whether the program's own calls of sigaction(2) must be adapted. Safe in signal handlers.
    [[nodiscard]] bool is_in_use() const noexcept { return users_.load() > 0; }

private:
    /// Undoes what the program has done without coir's notice: a handler whose mask contains SIGSYS, or another action
    /// for SIGSYS.
    static void mend() noexcept {
        let_sigsys_through();
        install_instead_of(current_action(SIGSYS));
    }

    /// Each copy of coir in the process has its own mutex, which does not exclude the others. dl_iterate_phdr(3) holds
    /// a lock of the C library during its callback, which does.
    static bool install_as_the_only_one() noexcept {
        bool is_installed = false;
        ::dl_iterate_phdr(
            [](dl_phdr_info*, std::size_t, void* answer) {
                const kernel_sigaction before = current_action(SIGSYS);
                if (!is_of_another_coir(before)) {
                    install_instead_of(before);
                    *static_cast<bool*>(answer) = true;
                }
                return 1;
            },
            &is_installed);
        return is_installed;
    }

    /// `before` is the kernel's action. It may be coir's own: another thread may have traps, or this process was forked
    /// from one with traps.
    //
    // Not with sigaction(3): the rt_sigreturn(2) in its restorer would be trapped. SA_NODEFER, so that a handler that
    // is left with longjmp(3) does not leave SIGSYS blocked.
    static void install_instead_of(const kernel_sigaction& before) noexcept {
        if (before.handler == reinterpret_cast<void*>(&handle_trap)) return;
        program_sigsys_action() = before;
        struct sigaction ours {};
        ours.sa_sigaction = handle_trap;
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        const kernel_sigaction action = as_kernel(ours);
        system_call(SYS_rt_sigaction, SIGSYS, &action, nullptr, sizeof action.mask);
    }

    std::mutex mutex_;
    std::atomic<int> users_{0};
    std::atomic<bool> is_mending_{false};
    pid_t process_ = 0;  // as of the last `acquire`
    unsigned forks_before_ = 0;
};

constinit sigsys_handler handler;

/// The name of a tool that emulates or records the program's system calls and would kill it at the first trap; nullptr
/// if there is none.
const char* tool_without_dispatch() {
    if (::secure_getenv("RUNNING_UNDER_RR") != nullptr) return "rr";
    const char* const preloaded = ::secure_getenv("LD_PRELOAD");
    if (preloaded != nullptr && std::strstr(preloaded, "vgpreload") != nullptr) return "valgrind";
    std::ifstream maps{"/proc/self/maps"};  // a static program under valgrind has no preloaded library
    for (std::string line; std::getline(maps, line);) {
        if (line.find("/valgrind/") != line.npos || line.find("/vgpreload") != line.npos) return "valgrind";
    }
    return nullptr;
}

std::string why_not() {
#if defined(__x86_64__)
    constexpr bool has_handler = true;
#else
    constexpr bool has_handler = false;
#endif
    if (!has_handler) return "Syscall User Dispatch exists on x86-64 only";
    if (find_sanitizer_runtime() == sanitizer_runtime::in_program) {
        return "clang has linked its sanitizer runtime into the program, where its system calls cannot be "
               "distinguished from the program's";
    }
    if (const char* const tool = tool_without_dispatch()) {
        return std::string{tool} + " does not support Syscall User Dispatch";
    }
    return {};
}

std::string refusal(int error) {
    switch (error) {
    case EINVAL: return "the kernel has no Syscall User Dispatch (before Linux 5.11), or a seccomp filter forbids it";
    case EPERM:
    case EACCES:
    case ENOSYS: return "a seccomp filter forbids prctl(PR_SET_SYSCALL_USER_DISPATCH)";
    default: return std::string{"prctl(PR_SET_SYSCALL_USER_DISPATCH): "} + std::strerror(error);
    }
}

}  // namespace

trap::trap(scheduler_status& thread) : missing_{why_not()} {
    if (!is_set()) return;
    if (!handler.acquire()) {
        missing_ = "another module of this process already uses the traps, with its own copy of coir";
        return;
    }
    const long bytes = __stop_coir_system_calls - __start_coir_system_calls;
    const long set = system_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, dispatch_on, __start_coir_system_calls, bytes,
                                 &thread.selector);
    if (set != 0) {
        handler.release();
        missing_ = refusal(static_cast<int>(-set));
        return;
    }
    reset_trap_memory();
    system_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigsys_bit, &mask_before_, sizeof mask_before_);
}

trap::~trap() {
    if (!is_set()) return;
    system_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, dispatch_off, 0L, 0L, 0L);
    if ((mask_before_ & sigsys_bit) != 0) {
        system_call(SYS_rt_sigprocmask, SIG_BLOCK, &sigsys_bit, nullptr, sizeof sigsys_bit);
    }
    handler.release();
}

bool mend_signal_handlers() noexcept { return handler.mend_while_in_use(); }

int sigaction_beside_traps(int (*next)(int, const struct sigaction*, struct sigaction*), int signal,
                           const struct sigaction* action, struct sigaction* before) {
    if (!handler.is_in_use()) return next(signal, action, before);
    if (signal == SIGSYS) {
        const kernel_sigaction replaced = program_sigsys_action();
        if (handler.is_child_with_shared_memory()) {
            if (const int error = next(signal, action, nullptr); error != 0) return error;
        } else if (action != nullptr) {
            program_sigsys_action() = as_kernel(*action);
        }
        if (before != nullptr) *before = as_library(replaced);
        return 0;
    }
    if (action == nullptr) return next(signal, action, before);
    struct sigaction without_sigsys = *action;
    ::sigdelset(&without_sigsys.sa_mask, SIGSYS);
    return next(signal, &without_sigsys, before);
}

}  // namespace coir::detail
