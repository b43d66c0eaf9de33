// Fibers in the narrowest sandboxes: filters that permit what docs/design/sandbox.md lists and kill the process at any
// other system call.
#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/seccomp.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <linux/prctl.h>
#include <span>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using numbers = std::span<const unsigned>;

namespace {

#if defined(__x86_64__)

constexpr unsigned of_fibers[] = {
#include "sandbox-fibers.inc"
};
constexpr unsigned of_watch[] = {
#include "sandbox-watch.inc"
};
constexpr unsigned of_reports[] = {
#include "sandbox-reports.inc"
};
constexpr unsigned of_hooks[] = {
#include "sandbox-hooks.inc"
};
constexpr unsigned of_traps[] = {
#include "sandbox-trap.inc"
};

constexpr unsigned of_this_program[] = {SYS_clock_nanosleep, SYS_getppid, SYS_write};

struct sandbox {
    std::string name;
    coir::blocking_options options;
    std::vector<numbers> parts;
    std::vector<unsigned> prctl_operations;

    void enter() const {
        std::vector<unsigned> allowed{std::begin(of_this_program), std::end(of_this_program)};
        for (const numbers part : parts) allowed.insert(allowed.end(), part.begin(), part.end());
        coir::test::allow_system_calls_or_kill(allowed, prctl_operations);
    }
};

constexpr unsigned set_dispatch = 59;  // PR_SET_SYSCALL_USER_DISPATCH

std::vector<sandbox> sandboxes() {
    using coir::blocking_engine;
    const std::vector<unsigned> of_thread{PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_DUMPABLE};
    std::vector<sandbox> all{
        {"off", {.policy = coir::blocking_policy::off}, {of_fibers}, {}},
        {"watch", {.engine = blocking_engine::watch}, {of_fibers, of_watch, of_reports}, of_thread},
        {"hooks", {.engine = blocking_engine::hooks}, {of_fibers, of_watch, of_reports, of_hooks}, of_thread},
        {"trap",
         {.engine = blocking_engine::trap},
         {of_fibers, of_watch, of_reports, of_traps},
         {PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_DUMPABLE, set_dispatch}},
    };
    for (sandbox& each : all) each.options.stall_threshold = 4ms;
    return all;
}

/// Waits, makes a blocking call, and computes for longer than the threshold, so that there are reports.
void live() {
    for (int i = 0; i < 50; ++i) coir::spawn([] { coir::this_fiber::sleep_for(300us); }).detach();
    coir::this_fiber::sleep_for(2ms);
    std::this_thread::sleep_for(20ms);
    coir::this_fiber::yield();
    const auto end = std::chrono::steady_clock::now() + 50ms;
    while (std::chrono::steady_clock::now() < end) ::syscall(SYS_getppid);
    coir::this_fiber::sleep_for(2ms);
}

coir::blocking_engine engine_without_sandbox(const coir::run_options& options) {
    coir::blocking_engine found{};
    coir::run(options, [&] { found = coir::active_engine().engine; });
    return found;
}

/// Runs the fibers in each sandbox, which `program` enters, with the engine that there is without it.
void check_that_they_live(
    const std::function<void(const sandbox&, const coir::run_options&, const std::function<void()>&)>& program) {
    for (const sandbox& each : sandboxes()) {
        CAPTURE(each.name);
        coir::run_options options;
        options.blocking = each.options;
        const coir::blocking_engine expected = engine_without_sandbox(options);
        const coir::test::ending end = coir::test::in_child([&] {
            program(each, options, [&] {
                if (coir::active_engine().engine != expected) ::_exit(4);
                live();
            });
            ::_exit(0);
        });
        INFO(end.output);
        CHECK_FALSE(end.died());
        const bool reports_each_call =
            expected == coir::blocking_engine::hooks || expected == coir::blocking_engine::trap;
        if (reports_each_call && coir::detail::has_source_lines()) CHECK(end.says("sandbox_test.cpp:"));
    }
}

#endif

}  // namespace

// The runtime of a sanitizer makes calls of its own.
#if defined(__x86_64__)
TEST_CASE("sandbox: a program that has entered one before the run needs only the calls of the documentation" *
          doctest::skip(coir::test::sanitized)) {
    check_that_they_live(
        [](const sandbox& narrow, const coir::run_options& options, const std::function<void()>& body) {
            narrow.enter();
            coir::run(options, body);
        });
}

TEST_CASE("sandbox: a fiber that has entered one needs only the calls of the documentation" *
          doctest::skip(coir::test::sanitized)) {
    check_that_they_live(
        [](const sandbox& narrow, const coir::run_options& options, const std::function<void()>& body) {
            coir::run(options, [&] {
                narrow.enter();
                body();
            });
        });
}
#endif
