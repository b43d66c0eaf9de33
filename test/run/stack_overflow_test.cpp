#include <coir/coir.hpp>

#include "base/symbols.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"

#include <boost/context/protected_fixedsize_stack.hpp>
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

// Sanitizers have handlers of their own for a fault.
#define OVERFLOW_TEST(name) TEST_CASE(name* doctest::skip(coir::test::sanitized))

using coir::test::ending;
using coir::test::in_child;

namespace {

volatile bool ends = false;

/// Recurses without end; calls `at_each` in each frame, if there is any.
[[gnu::noinline]] int recurse(void (*at_each)(), int depth = 0) {
    volatile char frame[64] = {};
    if (ends) return depth;
    if (at_each != nullptr) at_each();
    return recurse(at_each, depth + 1) + frame[depth % 64];
}

void overflow(const coir::run_options& options, void (*at_each)() = nullptr) {
    coir::run(options, [&] { coir::spawn({.name = "deep"}, [&] { return recurse(at_each); }).get(); });
}

void access_invalid_memory() {
    volatile std::uintptr_t address = 16;
    *reinterpret_cast<volatile int*>(address) = 1;
}

constexpr const char* overflow_message = "has overflowed its stack";

/// Makes a handler that runs on a signal stack of its own.
void handle_faults(void (*handler)(int, siginfo_t*, void*)) {
    static std::array<char, 1 << 16> memory;
    stack_t own{};
    own.ss_sp = memory.data();
    own.ss_size = memory.size();
    coir::test::require(::sigaltstack(&own, nullptr) == 0, "sigaltstack");
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    coir::test::require(::sigaction(SIGSEGV, &action, nullptr) == 0, "sigaction");
}

struct sigaction action_of_segv() {
    struct sigaction now {};
    ::sigaction(SIGSEGV, nullptr, &now);
    return now;
}

}  // namespace

OVERFLOW_TEST("stack overflow: names the fiber, its size and the option to raise, and the signal stays") {
    const ending how = in_child([] { overflow({}); });
    INFO(how.output);
    CHECK(how.signal == SIGSEGV);
    CHECK(how.says("coir: fiber #2 \"deep\" has overflowed its stack of 256 KiB at coir_test_run+0x"));
    CHECK(how.says("; raise fiber_options::stack_size"));
}

OVERFLOW_TEST("stack overflow: names the function, with its line, and the line that spawned the fiber") {
    const ending how = in_child([] { overflow({}); });
    INFO(how.output);
    CHECK(how.says("coir: fiber #2 \"deep\" was in "));
    CHECK(how.says("recurse(void (*)(), int)"));
    if (!coir::detail::has_source_lines()) return;
    CHECK(how.says("stack_overflow_test.cpp:"));
    CHECK(how.says("(spawned at "));
}

OVERFLOW_TEST("stack overflow: of the first fiber names the option for it") {
    const ending how = in_child([] { coir::run([] { recurse(nullptr); }); });
    INFO(how.output);
    CHECK(how.signal == SIGSEGV);
    CHECK(how.says("its stack of 8192 KiB"));
    CHECK(how.says("; raise run_options::main_stack_size"));
}

OVERFLOW_TEST("stack overflow: in a fiber with a stack size of its own names that size") {
    const ending how = in_child(
        [] { coir::run([] { coir::spawn({.stack_size = 64 << 10}, [] { return recurse(nullptr); }).get(); }); });
    INFO(how.output);
    CHECK(how.says("fiber #2 has overflowed its stack of 64 KiB"));
}

OVERFLOW_TEST("stack overflow: within malloc is named too") {
    const ending how = in_child([] {
        overflow({}, [] {
            static void* volatile made = nullptr;
            made = std::malloc(5000);
            std::free(made);
            made = std::malloc(1 << 20);
            std::free(made);
        });
    });
    INFO(how.output);
    CHECK(how.signal == SIGSEGV);
    CHECK(how.says(overflow_message));
}

OVERFLOW_TEST("stack overflow: within printf is named too") {
    const ending how = in_child([] { overflow({}, [] { std::printf("%s %g\n", "x", 0.5); }); });
    CHECK(how.signal == SIGSEGV);
    CHECK(how.says(overflow_message));
}

OVERFLOW_TEST("stack overflow: on a stack of the program's own allocator is named without its size") {
    coir::run_options options;
    options.stack_allocator = boost::context::protected_fixedsize_stack{1 << 16};
    const ending how = in_child([&] { overflow(options); });
    INFO(how.output);
    CHECK(how.signal == SIGSEGV);
    CHECK(how.says("fiber #2 \"deep\" has overflowed its stack at "));
}

OVERFLOW_TEST("stack overflow: control characters of a fiber's name do not reach the terminal") {
    const ending how = in_child(
        [] { coir::run([] { coir::spawn({.name = "a\x1b[2J\nb"}, [] { return recurse(nullptr); }).get(); }); });
    CHECK(how.says("fiber #2 \"a?[2J?b\" has overflowed"));
    CHECK_FALSE(how.says("\x1b"));
}

OVERFLOW_TEST("stack overflow: the program's own handler is called afterwards, on its own signal stack") {
    const ending how = in_child([] {
        handle_faults([](int, siginfo_t*, void*) { ::_exit(7); });
        overflow({});
    });
    INFO(how.output);
    CHECK(how.exit_code == 7);
    CHECK(how.says(overflow_message));
}

OVERFLOW_TEST("stack overflow: other faults go to the program's handler with their address, and nothing is said") {
    const ending how = in_child([] {
        handle_faults(
            [](int, siginfo_t* about, void*) { ::_exit(about->si_addr == reinterpret_cast<void*>(16) ? 8 : 9); });
        coir::run(access_invalid_memory);
    });
    INFO(how.output);
    CHECK(how.exit_code == 8);
    CHECK_FALSE(how.says(overflow_message));
}

OVERFLOW_TEST("stack overflow: a SIGSEGV that a process sends ends the program") {
    const ending how = in_child([] { coir::run([] { ::kill(::getpid(), SIGSEGV); }); });
    CHECK(how.signal == SIGSEGV);
    CHECK_FALSE(how.says(overflow_message));
}

OVERFLOW_TEST(
    "stack overflow: a handler that the program installs later, and that calls the former, is no endless loop") {
    static struct sigaction former {};
    static std::atomic<int> calls{0};
    const ending how = in_child([] {
        const auto install = [] {
            former = action_of_segv();
            handle_faults([](int signal, siginfo_t* about, void* context) {
                ++calls;
                if (calls == 1) static_cast<void>(::write(STDOUT_FILENO, "own handler\n", 12));
                former.sa_sigaction(signal, about, context);
            });
        };
        coir::run(install);
        coir::run(access_invalid_memory);
    });
    INFO(how.output);
    CHECK(how.signal == SIGSEGV);
    CHECK(how.says("own handler"));
}

OVERFLOW_TEST("stack overflow: nothing is said if the program does not want it") {
    coir::run_options options;
    options.explain_stack_overflow = false;
    const ending how = in_child([&] { overflow(options); });
    CHECK(how.signal == SIGSEGV);
    CHECK_FALSE(how.says("coir:"));
}

OVERFLOW_TEST("stack overflow: after a run, SIGSEGV and the thread's signal stack are as before") {
    const ending how = in_child([] {
        stack_t off{};
        off.ss_flags = SS_DISABLE;
        ::sigaltstack(&off, nullptr);
        const struct sigaction before = action_of_segv();
        const auto has_signal_stack = [] {
            stack_t now{};
            ::sigaltstack(nullptr, &now);
            return (now.ss_flags & SS_DISABLE) == 0;
        };
        coir::run([&] {
            coir::test::require(has_signal_stack(), "no signal stack during the run");
            coir::test::require(action_of_segv().sa_sigaction != before.sa_sigaction, "no handler during the run");
        });
        coir::test::require(!has_signal_stack(), "a signal stack after the run");
        coir::test::require(action_of_segv().sa_sigaction == before.sa_sigaction, "another handler after the run");
    });
    INFO(how.output);
    CHECK_FALSE(how.died());
}
