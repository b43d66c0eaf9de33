#include "core/task/stack_overflow.hpp"

#include "base/sanitizers.hpp"
#include "base/signal_safe_text.hpp"
#include "base/symbols.hpp"
#include "base/unseen_child.hpp"
#include "core/scheduler.hpp"
#include "core/switch/stack_layout.hpp"
#include "core/task/task_dump.hpp"
#include "core/task/task_stack.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <dlfcn.h>
#include <link.h>
#include <string>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

namespace coir::detail {

namespace {

using namespace std::chrono_literals;

#if defined(COIR_ASAN) || defined(COIR_TSAN)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

/// An overflow that is being explained.
struct overflow {
    const scheduler& where;
    const task& fiber;
    const void* code;  // the instruction that accessed the guard
};

const void* interrupted_code(const void* context) noexcept {
    const mcontext_t& registers = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return reinterpret_cast<const void*>(registers.gregs[REG_RIP]);
#else
    return reinterpret_cast<const void*>(registers.pc);
#endif
}

/// Whether the address lies in the guard of the fiber's stack. A stack of the program's own allocator may have a page as
/// guard, below its memory or as its lowest page.
bool is_in_guard(const scheduler& here, const task& fiber, const void* accessed) noexcept {
    if (fiber.stack.sp == nullptr) return false;  // the hub, on the thread's own stack
    const std::size_t page = page_size();
    const auto address = reinterpret_cast<std::uintptr_t>(accessed);
    const auto end = reinterpret_cast<std::uintptr_t>(fiber.stack.sp) - fiber.stack.size;
    if (!fiber.stack_pooled) return address >= end - page && address < end + page;
    return address >= end - stack_layout::of(here.stack_bytes_of(fiber), page).guard && address < end;
}

// ---- the first line ------------------------------------------------------------------------------------------------

constexpr std::string_view option_for(const task& fiber) noexcept {
    constexpr std::uint64_t first = 1;
    return fiber.id == first ? "run_options::main_stack_size" : "fiber_options::stack_size";
}

/// "module+0x123"; the plain address where the C library (before glibc 2.35) has no function for signal handlers.
void append_location(signal_safe_text& to, const void* code) noexcept {
    auto offset = reinterpret_cast<std::uintptr_t>(code);
#if defined(DLFO_STRUCT_HAS_EH_DBASE)  // glibc 2.35
    dl_find_object found{};
    if (::_dl_find_object(const_cast<void*>(code), &found) == 0) {
        const std::string_view path{found.dlfo_link_map->l_name};
        to.append_printable(path.empty() ? program_invocation_short_name : path.substr(path.rfind('/') + 1)) << "+";
        offset -= found.dlfo_link_map->l_addr;
    }
#endif
    to.append_hexadecimal(offset);
}

void write_first_line(const overflow& of) noexcept {
    signal_safe_text line;
    line << "coir: fiber #" << std::size_t{of.fiber.id};
    if (of.fiber.name != nullptr) {
        line << " \"";
        line.append_printable({of.fiber.name, of.fiber.name_bytes}) << "\"";
    }
    line << " has overflowed its stack";
    if (of.fiber.stack_pooled) line << " of " << (of.where.stack_bytes_of(of.fiber) >> 10) << " KiB";
    line << " at ";
    append_location(line, of.code);
    if (of.fiber.stack_pooled) line << "; raise " << option_for(of.fiber);
    line << "\n";
    line.write_to(STDERR_FILENO);
}

// ---- the second line, in a child process ---------------------------------------------------------------------------

/// The innermost function of the program that was interrupted; the innermost one if all belong to libraries.
std::string describe_place() {
    call_stack interrupted;
    capture_interrupted(interrupted);
    const std::vector<std::string> functions = describe_stack(interrupted);
    if (!functions.empty()) return functions.front();
    return interrupted.depth > 0 ? describe(symbolise(interrupted.frames.front()).front()) : "unknown code";
}

bool write_second_line(void* argument) {
    const overflow& of = *static_cast<const overflow*>(argument);
    std::string line = "coir: fiber " + describe_fiber(of.fiber) + " was in " + describe_place();
    if (of.fiber.spawn_site != nullptr) line += " (spawned at " + describe_call_site(of.fiber.spawn_site) + ')';
    line += '\n';
    return sys::write(STDERR_FILENO, line.data(), line.size()) > 0;
}

void explain(overflow of) noexcept {
    write_first_line(of);
    constexpr auto time = 2s;
    const unseen_child child{write_second_line, &of, STDERR_FILENO, {.time = time}};
    if (child.error() != 0) return;
    const auto until = std::chrono::steady_clock::now() + time;
    while (!child.wait_a_little(-1) && std::chrono::steady_clock::now() < until) {
    }
}

// ---- the signal ----------------------------------------------------------------------------------------------------

constinit std::atomic<int> users{0};

/// The action of the program. Written before the handler is installed.
struct sigaction of_the_program {};

void set_action(const struct sigaction& action) noexcept { ::sigaction(SIGSEGV, &action, nullptr); }

struct sigaction present_action() noexcept {
    struct sigaction now {};
    ::sigaction(SIGSEGV, nullptr, &now);
    return now;
}

void on_fault(int signal, siginfo_t* about, void* context);

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_fault;
}

/// Restores the action of the program. A fault then repeats when the handler returns, with the true registers; a signal
/// that was sent is sent again.
void repeat_for_the_program(const siginfo_t& about) noexcept {
    set_action(of_the_program);
    if (about.si_code <= 0) ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), about.si_signo);
}

/// Called by a handler that was installed later, after its own work.
void pass_on(const struct sigaction& caller, siginfo_t* about, void* context) noexcept {
    const struct sigaction& next = of_the_program;
    const bool is_handler = next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN;
    if (!is_handler || next.sa_handler == caller.sa_handler) {  // the caller itself would call this again
        struct sigaction by_default {};
        by_default.sa_handler = SIG_DFL;
        return set_action(by_default);
    }
    if ((next.sa_flags & SA_SIGINFO) != 0) return next.sa_sigaction(about->si_signo, about, context);
    next.sa_handler(about->si_signo);
}

void on_fault(int, siginfo_t* about, void* context) {
    const int saved = errno;
    const scheduler* const here = scheduler::current();
    if (here != nullptr && about->si_code > 0 && is_in_guard(*here, here->running(), about->si_addr))
        explain({*here, here->running(), interrupted_code(context)});
    errno = saved;
    const struct sigaction now = present_action();
    if (is_ours(now)) return repeat_for_the_program(*about);
    pass_on(now, about, context);
}

void install() noexcept {
    const struct sigaction now = present_action();
    if (is_ours(now)) return;
    of_the_program = now;
    struct sigaction ours {};
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ours.sa_sigaction = on_fault;
    set_action(ours);
}

}  // namespace

stack_overflow_explained::stack_overflow_explained(bool wanted) noexcept {
    if (!wanted || is_sanitized) return;
    stack_.emplace();
    if (users.fetch_add(1) == 0) install();
}

/// If another thread begins a run at this moment, its run may go without the explanation.
stack_overflow_explained::~stack_overflow_explained() {
    if (stack_ && users.fetch_sub(1) == 1 && is_ours(present_action())) set_action(of_the_program);
}

}  // namespace coir::detail
