#include "detect/engine/trap/trap_handler.hpp"

#include "base/sanitizers.hpp"
#include "core/loop/scheduler_status.hpp"
#include "detect/engine/trap/observation.hpp"

#if defined(__x86_64__)

#include "base/system_call.hpp"
#include "detect/engine/trap/kernel_sigaction.hpp"
#include "detect/engine/trap/sanitizer_runtime.hpp"
#include "detect/engine/trap/trapped_fiber.hpp"

#include <cerrno>
#include <linux/audit.h>
#include <sys/syscall.h>

#if defined(COIR_TSAN)
extern "C" {
// Functions of the sanitizer runtime (dynamic annotations). No header declares them.
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace coir::detail {

namespace {

constexpr int dispatched_to_user = 2;  // SYS_USER_DISPATCH, asm-generic/siginfo.h

/// Makes the thread sanitizer ignore the handler. A trap often occurs inside one of the sanitizer's interceptors, where
/// it ignores atomics and so would report a race between accesses that the atomics order. It would also report the
/// signal stack, which all fibers share.
class unseen_by_sanitizer {
public:
#if defined(COIR_TSAN)
    unseen_by_sanitizer() noexcept {
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~unseen_by_sanitizer() {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    }
#else
    unseen_by_sanitizer() noexcept {}
#endif
    unseen_by_sanitizer(const unseen_by_sanitizer&) = delete;
    unseen_by_sanitizer& operator=(const unseen_by_sanitizer&) = delete;
};

/// Handles a SIGSYS that is not a trap (seccomp(2), kill(2)) as if coir had no handler.
void hand_to_program(int signal, siginfo_t* info, void* context) {
    const kernel_sigaction& program_action = program_sigsys_action();
    if (program_action.handler == reinterpret_cast<void*>(SIG_IGN)) return;
    if (program_action.handler != nullptr) {
        reinterpret_cast<void (*)(int, siginfo_t*, void*)>(program_action.handler)(signal, info, context);
        return;
    }
    const kernel_sigaction default_action{};
    system_call(SYS_rt_sigaction, SIGSYS, &default_action, nullptr, sizeof default_action.mask);
    system_call(SYS_tgkill, system_call(SYS_getpid), system_call(SYS_gettid), SIGSYS);
}

void make_observed(trapped_fiber& fiber, const trapped_call& call) {
    const unseen_by_sanitizer unseen;
    end_passed_call();
    if (!fiber.is_by_int80() && waits_for_child(call)) begin_passed_call();
    if (fiber.pass_to_fiber(call)) return;
    const observation seen = fiber.is_by_int80() ? observation{observation::by_int80{}} : observation{call};
    fiber.make(call);
}

void handle_call(trapped_fiber& fiber, const trapped_call& call) {
    monitor* const watching = monitor::current();
    if (watching != nullptr) watching->begin_trap();
    make_observed(fiber, call);
    if (watching != nullptr) watching->end_trap();
}

}  // namespace

__attribute__((no_sanitize("thread"))) void handle_trap(int signal, siginfo_t* info, void* context) {
    scheduler_status* const thread = this_thread_status();
    if (info->si_code != dispatched_to_user || thread == nullptr) return hand_to_program(signal, info, context);
    const int saved = errno;
    // First of all: system calls of this handler, and of handlers that interrupt it, must not be trapped.
    thread->selector.store(scheduler_status::allow, std::memory_order_relaxed);
    trapped_fiber fiber{context, info->si_arch == AUDIT_ARCH_I386};
    const trapped_call call = fiber.call(info->si_syscall);
    if (!is_in_sanitizer_runtime(fiber.resume_address()))
        handle_call(fiber, call);
    else if (!fiber.pass_to_fiber(call))
        fiber.make(call);
    errno = saved;
    thread->selector.store(scheduler_status::block, std::memory_order_relaxed);
}

}  // namespace coir::detail

#else

namespace coir::detail {

void handle_trap(int, siginfo_t*, void*) {}

}  // namespace coir::detail

#endif
