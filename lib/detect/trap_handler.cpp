#include "detect/trap_handler.hpp"

#include "core/context.hpp"
#include "core/vitals.hpp"
#include "detect/observation.hpp"

#include <cstring>

#if defined(__x86_64__)

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <cerrno>

#include "base/system_call.hpp"
#include "detect/system_calls.hpp"

#if defined(COIR_TSAN)
extern "C" {
// Of the sanitizer's runtime: sanitizer_common's dynamic annotations, which have no header.
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

extern "C" {
// trap_x86_64.S
void coir_trap_restorer();
void coir_trap_pass();
void coir_trap_pass_to_new_stack();
}

namespace coir::detail {

namespace {

constexpr int dispatched_to_user = 2;  // SYS_USER_DISPATCH, asm-generic/siginfo.h
constexpr long red_zone = 128;         // below %rsp, the function's own (System V ABI)

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

/// The interrupted fiber: its registers, as rt_sigreturn(2) will restore them.
class interrupted {
public:
    explicit interrupted(void* context) noexcept : context_{*static_cast<ucontext_t*>(context)} {}

    [[nodiscard]] trapped_call call(long number) const noexcept {
        return {number, {reg(REG_RDI), reg(REG_RSI), reg(REG_RDX), reg(REG_R10), reg(REG_R8), reg(REG_R9)}};
    }
    void return_value(long value) noexcept { reg(REG_RAX) = value; }
    std::uint64_t& mask() noexcept { return *reinterpret_cast<std::uint64_t*>(&context_.uc_sigmask); }

    /// The fiber goes on in `trampoline`, which makes the call of that number and goes back to where it was made.
    void pass(long number, void (*trampoline)()) noexcept {
        reg(REG_RAX) = number;
        reg(REG_RSP) -= red_zone + static_cast<long>(sizeof(long));
        *reinterpret_cast<long*>(reg(REG_RSP)) = reg(REG_RIP);
        go_on_in(trampoline);
    }

    /// As above, and so does the child that begins on the stack which ends at `top`.
    void pass_to_new_stack(long number, long top) noexcept {
        *reinterpret_cast<long*>(top - static_cast<long>(sizeof(long))) = reg(REG_RIP);
        pass(number, coir_trap_pass_to_new_stack);
    }

    void go_on_in(void (*code)()) noexcept { reg(REG_RIP) = reinterpret_cast<long>(code); }

private:
    long long& reg(int which) noexcept { return context_.uc_mcontext.gregs[which]; }
    [[nodiscard]] long reg(int which) const noexcept { return context_.uc_mcontext.gregs[which]; }

    ucontext_t& context_;
};

long make(const trapped_call& call) {
    const auto& [a, b, c, d, e, f] = call.arguments;
    return coir_system_call(a, b, c, d, e, f, call.number);
}

// ---- calls that cannot be made in a handler -----------------------------------------------------------------------

void pass_clone(interrupted& fiber, long number, long flags, long top) noexcept {
    if (top != 0)
        fiber.pass_to_new_stack(number, top);
    else if ((flags & CLONE_VM) != 0)
        // On the parent's own stack it would overwrite where the parent goes back to: as of fork(2), it gets a copy.
        fiber.pass(SYS_fork, coir_trap_pass);
    else
        fiber.pass(number, coir_trap_pass);
}

/// Makes the call on the fiber's own stack, after the handler. False: it is an ordinary one.
bool pass_on(interrupted& fiber, const trapped_call& call) noexcept {
    switch (call.number) {
    case SYS_rt_sigreturn: fiber.go_on_in(coir_trap_restorer); return true;
    case SYS_fork:
    case SYS_vfork: fiber.pass(SYS_fork, coir_trap_pass); return true;
    // They are about the stack that they are made on, or leave none to go back to.
    case SYS_sigaltstack:
    case SYS_execve:
    case SYS_execveat: fiber.pass(call.number, coir_trap_pass); return true;
    case SYS_clone: pass_clone(fiber, SYS_clone, call.arguments[0], call.arguments[1]); return true;
    case SYS_clone3: {
        const auto& how = *reinterpret_cast<const clone_args*>(call.arguments[0]);
        const auto top = how.stack == 0 ? 0 : static_cast<long>(how.stack + how.stack_size);
        pass_clone(fiber, SYS_clone3, static_cast<long>(how.flags), top);
        return true;
    }
    default: return false;
    }
}

bool waits_for_its_child(const trapped_call& call) noexcept {
    switch (call.number) {
    case SYS_clone: return (call.arguments[0] & CLONE_VFORK) != 0;
    case SYS_clone3: return (reinterpret_cast<const clone_args*>(call.arguments[0])->flags & CLONE_VFORK) != 0;
    default: return false;
    }
}

// ---- calls about signals --------------------------------------------------------------------------------------------

/// rt_sigprocmask(2), on the mask that the fiber goes on with: the handler has its own.
long change_mask(interrupted& fiber, const trapped_call& call) noexcept {
    const auto& [how, changed, before, bytes, e, f] = call.arguments;
    if (bytes != sizeof(std::uint64_t)) return -EINVAL;
    const std::uint64_t old = fiber.mask();
    if (changed != 0) {
        const std::uint64_t wanted = *reinterpret_cast<const std::uint64_t*>(changed) & ~sigsys_bit;
        switch (how) {
        case SIG_BLOCK: fiber.mask() |= wanted; break;
        case SIG_UNBLOCK: fiber.mask() &= ~wanted; break;
        case SIG_SETMASK: fiber.mask() = wanted; break;
        default: return -EINVAL;
        }
    }
    if (before != 0) *reinterpret_cast<std::uint64_t*>(before) = old;
    return 0;
}

/// A call that waits with another signal mask, at `place` of its arguments.
long make_with_mask(trapped_call call, std::size_t place) {
    std::uint64_t mask = 0;
    if (const long given = call.arguments[place]; given != 0) {
        mask = *reinterpret_cast<const std::uint64_t*>(given) & ~sigsys_bit;
        call.arguments[place] = reinterpret_cast<long>(&mask);
    }
    return make(call);
}

/// pselect6(2) has the mask's address and size in a structure.
long make_pselect(trapped_call call) {
    struct given {
        const std::uint64_t* mask;
        std::size_t bytes;
    } signals{};
    std::uint64_t mask = 0;
    if (const long asked = call.arguments[5]; asked != 0) {
        signals = *reinterpret_cast<const given*>(asked);
        if (signals.mask != nullptr) {
            mask = *signals.mask & ~sigsys_bit;
            signals.mask = &mask;
        }
        call.arguments[5] = reinterpret_cast<long>(&signals);
    }
    return make(call);
}

long make_in_handler(interrupted& fiber, const trapped_call& call) {
    switch (call.number) {
    case SYS_rt_sigprocmask: return change_mask(fiber, call);
    case SYS_rt_sigaction:
        return call.arguments[3] != sizeof(std::uint64_t)
                   ? -EINVAL
                   : sigaction_without_sigsys(static_cast<int>(call.arguments[0]),
                                              reinterpret_cast<const kernel_sigaction*>(call.arguments[1]),
                                              reinterpret_cast<kernel_sigaction*>(call.arguments[2]));
    case SYS_rt_sigsuspend: return make_with_mask(call, 0);
    case SYS_ppoll: return make_with_mask(call, 3);
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: return make_with_mask(call, 4);
    case SYS_pselect6: return make_pselect(call);
    default: return make(call);
    }
}

// ---- SIGSYS that is no trap -----------------------------------------------------------------------------------------

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

}  // namespace

long sigaction_without_sigsys(int signal, const kernel_sigaction* action, kernel_sigaction* before) {
    if (signal == SIGSYS) {
        if (before != nullptr) *before = users_sigsys();
        if (action != nullptr) users_sigsys() = *action;
        return 0;
    }
    kernel_sigaction harmless;
    if (action != nullptr) {
        harmless = *action;
        harmless.mask &= ~sigsys_bit;
    }
    return system_call(SYS_rt_sigaction, signal, action != nullptr ? &harmless : nullptr, before, sizeof harmless.mask);
}

namespace {

void handle_call(long number, void* context) {
    const unseen_by_sanitizer unseen;
    interrupted fiber{context};
    const trapped_call call = fiber.call(number);
    judge_last_pass();
    if (waits_for_its_child(call)) expect_judgement();
    if (pass_on(fiber, call)) return;
    const observation seen{call};
    fiber.return_value(make_in_handler(fiber, call));
}

}  // namespace

__attribute__((no_sanitize("thread"))) void handle_trap(int signal, siginfo_t* info, void* context) {
    vitals* const thread = this_thread_vitals();
    if (info->si_code != dispatched_to_user || thread == nullptr) return hand_to_program(signal, info, context);
    const int saved = errno;
    // First of all: what is done from here on, by this handler or by those that interrupt it, is no fiber's doing.
    thread->selector.store(vitals::allow, std::memory_order_relaxed);
    monitor* const watching = monitor::current();
    if (watching != nullptr) watching->begin_trap();
    handle_call(info->si_syscall, context);
    if (watching != nullptr) watching->end_trap();
    errno = saved;
    thread->selector.store(vitals::block, std::memory_order_relaxed);
}

}  // namespace coir::detail

#else

namespace coir::detail {

void handle_trap(int, siginfo_t*, void*) {}

long sigaction_without_sigsys(int, const kernel_sigaction*, kernel_sigaction*) { return -1; }

}  // namespace coir::detail

#endif

namespace coir::detail {

namespace {

constexpr unsigned long sa_restorer = 0x04000000;  // asm/signal.h, of x86-64 alone

}  // namespace

struct sigaction as_library(const kernel_sigaction& kernels) noexcept {
    struct sigaction made {};
    std::memcpy(&made.sa_handler, &kernels.handler, sizeof kernels.handler);
    made.sa_flags = static_cast<int>(kernels.flags & ~sa_restorer);
    std::memcpy(&made.sa_mask, &kernels.mask, sizeof kernels.mask);
    return made;
}

kernel_sigaction as_kernel(const struct sigaction& librarys) noexcept {
    kernel_sigaction made;
    std::memcpy(&made.handler, &librarys.sa_handler, sizeof made.handler);
    made.flags = static_cast<unsigned long>(librarys.sa_flags);
#if defined(__x86_64__)
    made.flags |= sa_restorer;
    made.restorer = reinterpret_cast<void*>(coir_trap_restorer);
#endif
    std::memcpy(&made.mask, &librarys.sa_mask, sizeof made.mask);
    return made;
}

kernel_sigaction& users_sigsys() noexcept {
    static constinit kernel_sigaction kept;
    return kept;
}

}  // namespace coir::detail
