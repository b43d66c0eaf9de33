#include "detect/trap_handler.hpp"

#include "base/sanitizers.hpp"
#include "core/loop/scheduler_status.hpp"
#include "detect/observation.hpp"

#if defined(__x86_64__)

#include "base/system_call.hpp"
#include "detect/kernel_sigaction.hpp"
#include "detect/sanitizer_runtime.hpp"
#include "detect/trapped_fiber.hpp"

#include <cerrno>
#include <sys/syscall.h>

#if defined(COIR_TSAN)
extern "C" {
// Of the sanitizer's runtime: sanitizer_common's dynamic annotations, which have no header.
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace coir::detail {

namespace {

constexpr int dispatched_to_user = 2;  // SYS_USER_DISPATCH, asm-generic/siginfo.h

/// The thread sanitizer takes no notice of atomics while one of its interceptors waits for the kernel, which is where a
/// trap comes from, and would take for a race what they order. It is to take no notice of the handler at
/// all, nor of its stack, which is the same for all fibers.
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

/// seccomp(2), or kill(2): for the program, as if nobody stood between.
void hand_to_program(int signal, siginfo_t* info, void* context) {
    const kernel_sigaction& users = users_sigsys();
    if (users.handler == reinterpret_cast<void*>(SIG_IGN)) return;
    if (users.handler != nullptr) {
        reinterpret_cast<void (*)(int, siginfo_t*, void*)>(users.handler)(signal, info, context);
        return;
    }
    const kernel_sigaction by_default{};
    system_call(SYS_rt_sigaction, SIGSYS, &by_default, nullptr, sizeof by_default.mask);
    system_call(SYS_tgkill, system_call(SYS_getpid), system_call(SYS_gettid), SIGSYS);
}

void make_observed(trapped_fiber& fiber, const trapped_call& call) {
    const unseen_by_sanitizer unseen;
    judge_last_pass();
    if (waits_for_its_child(call)) expect_judgement();
    if (fiber.pass_on(call)) return;
    const observation seen{call};
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
    // First of all: what is done from here on, by this handler or by those that interrupt it, is no fiber's doing.
    thread->selector.store(scheduler_status::allow, std::memory_order_relaxed);
    trapped_fiber fiber{context};
    const trapped_call call = fiber.call(info->si_syscall);
    if (!is_in_sanitizer_runtime(fiber.goes_on_at()))
        handle_call(fiber, call);
    else if (!fiber.pass_on(call))
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
