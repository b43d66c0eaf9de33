#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "detect/reports.hpp"
#include "detect/sleepers/sleeper.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <sched.h>
#include <signal.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::test::burn;
using coir::test::reports;

namespace {

const coir::blocking_options alert{.engine = coir::blocking_engine::watch, .stall_threshold = 20ms};

/// Other tests may run on this machine at the same time: long enough to be detected anyway.
constexpr auto long_time = 400ms;

bool is_pending(int signal) {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, signal) == 1;
}

int signals_blocked_and_pending() {
    int count = 0;
    for (int each = SIGRTMIN; each <= SIGRTMAX; ++each) count += is_pending(each) ? 1 : 0;
    return count;
}

/// The position of a function in the stack of a report; -1 if it is not there.
long position(const coir::blocking_report& report, const std::string& function) {
    const auto found = std::ranges::find_if(
        report.stack, [&](const coir::stack_frame& each) { return each.function.find(function) != std::string::npos; });
    return found == report.stack.end() ? -1 : found - report.stack.begin();
}

}  // namespace

TEST_CASE("watch: a fiber that computes for longer than the threshold is reported as a hog, with its stack") {
    const coir::test::captured_log log;
    reports seen{alert};
    coir::run(seen.options(), [] { coir::spawn({.name = "busy"}, [] { burn(long_time); }).get(); });
    REQUIRE(seen.hogs().size() == 1);
    const coir::blocking_report hog = seen.hogs().front();
    CHECK(hog.category == coir::blocking_class::cpu);
    CHECK(hog.fiber_name == "busy");
    CHECK(hog.held >= 20ms);
    CHECK(hog.count == 1);
    CHECK(log.count("\"busy\" has held its thread for ") == 1);
    CHECK(log.count("computing; use coir::offload, or coir::this_fiber::yield now and then") == 1);
#if !defined(__SANITIZE_THREAD__)  // ThreadSanitizer delays signals, so they do not interrupt the thread where it is
    if (!coir::test::sanitized) {
        CHECK(std::ranges::any_of(
            hog.stack, [](const coir::stack_frame& each) { return each.function.find("burn") != std::string::npos; }));
    }
#endif
}

TEST_CASE("watch: a fiber that yields often enough is not reported") {
    const coir::test::captured_log log;
    reports seen{alert};
    coir::run(seen.options(), [] {
        auto other = coir::spawn([] {
            for (int i = 0; i < 100; ++i) coir::this_fiber::yield();
        });
        for (int i = 0; i < 100; ++i) {
            burn(1ms);
            coir::this_fiber::yield();
        }
        other.get();
    });
    CHECK(seen.hogs().empty());
}

TEST_CASE("watch: on a busy machine, a fiber that only waits for a processor is not reported") {
    // Started before the run: a child that competes for the only processor that both may use.
    cpu_set_t before;
    REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    int first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    CPU_SET(first, &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    const pid_t rival = ::fork();
    REQUIRE(rival >= 0);  // a rival of -1 would make the kill at the end signal all processes
    if (rival == 0) {
        ::alarm(30);
        burn(1h);
        ::_exit(0);
    }

    const coir::test::captured_log log;
    reports seen{alert};
    coir::run(seen.options(), [] {
        for (int i = 0; i < 50; ++i) {
            burn(4ms);
            coir::this_fiber::yield();
        }
    });
    ::kill(rival, SIGKILL);
    ::waitpid(rival, nullptr, 0);
    ::sched_setaffinity(0, sizeof before, &before);
    CHECK(seen.hogs().empty());
    CHECK(seen.all().empty());
}

TEST_CASE(
    "watch: a fiber asleep on a mutex of another thread is reported as blocked, and its sleep is not interrupted") {
    const coir::test::captured_log log;
    reports seen{alert};
    coir::run(seen.options(), [] {
        std::mutex contended;
        std::atomic<bool> locked = false;
        std::thread holder{[&] {
            const std::lock_guard lock{contended};
            locked = true;
            std::this_thread::sleep_for(long_time);
        }};
        while (!locked) coir::this_fiber::yield();
        auto waits = coir::spawn({.name = "waits"}, [&] { const std::lock_guard lock{contended}; });
        waits.get();
        const coir::allow_blocking permit{"the thread has ended by now"};
        holder.join();
    });
    REQUIRE(seen.blocked("pthread_mutex_lock").size() == 1);
    const coir::blocking_report report = seen.blocked("pthread_mutex_lock").front();
    CHECK(report.category == coir::blocking_class::lock);
    CHECK(report.fiber_name == "waits");
    CHECK(report.held >= 20ms);
    CHECK_FALSE(report.spawn_site.empty());
    CHECK(report.stack.size() > 1);
    CHECK(log.count("use coir::mutex") >= 1);
}

TEST_CASE("watch: a sleep without a hook lasts its full time, and is reported with its system call") {
    const coir::test::captured_log log;
    reports seen{alert};
    bool interrupted = false;
    const auto before = std::chrono::steady_clock::now();
    coir::run(seen.options(), [&] {
        const timespec length{0, 300'000'000};
        interrupted = ::nanosleep(&length, nullptr) != 0;
    });
    CHECK(std::chrono::steady_clock::now() - before >= 300ms);
    CHECK_FALSE(interrupted);
    CHECK(seen.all().size() == 1);
    CHECK(seen.all().front().category == coir::blocking_class::sleep);
}

#if defined(__x86_64__)

TEST_CASE("watch: the stack of a sleep that no hook saw is complete, whichever way the functions were compiled") {
    REQUIRE(coir::test::sleepers().size() >= 3);
    for (const coir::test::sleeper& each : coir::test::sleepers()) {
        INFO(std::string{each.name});
        const coir::test::captured_log log;
        reports seen{alert};
        coir::run(seen.options(), [&] { coir::spawn([&] { each.outer(300); }).get(); });
        REQUIRE(seen.all().size() == 1);
        const coir::blocking_report report = seen.all().front();
        const std::string space = std::string{each.name} + "::";
        CHECK(position(report, space + "inner") >= 0);
        CHECK(position(report, space + "derived::middle") > position(report, space + "inner"));
        CHECK(position(report, space + "outer") > position(report, space + "derived::middle"));
        CHECK(position(report, "coir::detail::scheduler::") > position(report, space + "outer"));
    }
}

#endif

TEST_CASE("watch: with hooks too, a sleep that no hook saw is reported with its stack") {
    const coir::test::captured_log log;
    reports seen{{.stall_threshold = 20ms}};
    coir::run(seen.options(), [] {
        const timespec length{0, 300'000'000};
        ::syscall(SYS_nanosleep, &length, nullptr);
    });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.all().front().stack.size() > 1);
    if (coir::detail::has_source_lines()) CHECK(log.count("watch_test.cpp:") >= 1);
}

TEST_CASE("watch: with traps, an open that sleeps for longer than the threshold is reported once, with its stack") {
    const coir::test::captured_log log;
    const coir::test::temporary_file name;
    REQUIRE(::unlink(name.path().c_str()) == 0);
    REQUIRE(::mkfifo(name.path().c_str(), 0600) == 0);
    reports seen{{.engine = coir::blocking_engine::trap, .stall_threshold = 20ms}};
    bool has_trap = false;
    std::thread writer;
    coir::run(seen.options(), [&] {
        has_trap = coir::active_engine().engine == coir::blocking_engine::trap;
        {
            const coir::allow_blocking permit{"starts a thread"};
            writer = std::thread{[&] {
                std::this_thread::sleep_for(long_time);
                ::close(::open(name.path().c_str(), O_WRONLY | O_CLOEXEC));
            }};
        }
        coir::this_fiber::yield();
        ::close(::open(name.path().c_str(), O_RDONLY | O_CLOEXEC));
    });
    writer.join();
    if (!has_trap) return;
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.all().front().count == 1);
    CHECK(seen.all().front().stack.size() > 1);
    CHECK(seen.all().front().total == seen.all().front().held);
}

TEST_CASE("watch: a fiber that waits for a mutex held by a fiber of its own thread is reported as waiting for "
          "itself, meanwhile") {
    const coir::test::ending child = coir::test::in_child([] {
        std::thread{[] {
            std::this_thread::sleep_for(coir::test::sanitized ? 5s : 2s);
            ::_exit(0);  // nothing else ends this process
        }}.detach();
        coir::run(reports{alert}.options(), [] {
            std::mutex held;
            coir::event never;
            auto holder = coir::spawn([&] {
                held.lock();
                never.wait();
            });
            coir::this_fiber::yield();
            coir::spawn({.name = "locked out"}, [&] { held.lock(); }).get();
        });
    });
    INFO(child.output);
    CHECK(child.says("\"locked out\""));
    CHECK(child.says("deadlock: a fiber of the same thread holds the lock"));
}

TEST_CASE("watch: a hooked call that does not return is reported while it lasts, and counted once") {
    const coir::test::captured_log log;
    reports seen{{.stall_threshold = 10ms}};
    coir::run(seen.options(), [] { std::this_thread::sleep_for(700ms); });
    REQUIRE(seen.blocked("nanosleep").size() == 1);
    CHECK(seen.blocked("nanosleep").front().count == 1);
    CHECK(seen.blocked("nanosleep").front().held >= 700ms);
    CHECK(seen.blocked("nanosleep").front().total < 2 * seen.blocked("nanosleep").front().held);
    CHECK(seen.blocked("nanosleep").front().stack.size() > 1);
    CHECK(log.count("so far, asleep in nanosleep") == 1);
}

TEST_CASE("watch: detects a hog after the scheduler was idle for a long time") {
    const coir::test::captured_log log;
    reports seen{alert};
    coir::run(seen.options(), [] {
        coir::this_fiber::sleep_for(2500ms);
        burn(long_time);
    });
    CHECK(seen.hogs().size() == 1);
}

TEST_CASE("watch: a permitted hog is not reported") {
    const coir::test::captured_log log;
    reports seen{alert};
    coir::run(seen.options(), [] {
        const coir::allow_blocking permit{"a test"};
        burn(long_time);
    });
    CHECK(seen.all().empty());
}

TEST_CASE("watch: schedulers of several threads are watched at the same time") {
    const coir::test::captured_log log;
    reports first{alert};
    reports second{alert};
    std::thread one{
        [&] { coir::run(first.options(), [] { coir::spawn({.name = "one"}, [] { burn(long_time); }).get(); }); }};
    std::thread two{
        [&] { coir::run(second.options(), [] { coir::spawn({.name = "two"}, [] { burn(long_time); }).get(); }); }};
    one.join();
    two.join();
    REQUIRE(first.hogs().size() == 1);
    REQUIRE(second.hogs().size() == 1);
    CHECK(first.hogs().front().fiber_name == "one");
    CHECK(second.hogs().front().fiber_name == "two");
}

TEST_CASE("watch: leaves no signal, handler or thread behind") {
    const coir::test::captured_log log;
    struct sigaction before {};
    ::sigaction(SIGRTMAX, nullptr, &before);
    sigset_t all;
    sigset_t mask;
    ::sigfillset(&all);
    // Its signal is blocked, and still pending when the run ends.
    coir::run(reports{alert}.options(), [&] {
        ::pthread_sigmask(SIG_BLOCK, &all, &mask);
        burn(long_time);
    });
    CHECK(signals_blocked_and_pending() == 0);
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    struct sigaction after {};
    ::sigaction(SIGRTMAX, nullptr, &after);
    CHECK((after.sa_handler == before.sa_handler));
}

TEST_CASE("watch: does not send a signal that the program blocks, and may read") {
    const coir::test::captured_log log;
    sigset_t highest;
    sigset_t before;
    ::sigemptyset(&highest);
    ::sigaddset(&highest, SIGRTMAX);
    ::pthread_sigmask(SIG_BLOCK, &highest, &before);
    reports seen{alert};
    bool was_sent = false;
    coir::run(seen.options(), [&] {
        burn(long_time);
        was_sent = is_pending(SIGRTMAX);
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK_FALSE(was_sent);
    CHECK(seen.hogs().size() == 1);
}

TEST_CASE("watch: does not send a signal that the program blocks in a fiber, and leaves those that the program sends") {
    const coir::test::captured_log log;
    sigset_t highest;
    sigset_t before;
    ::sigemptyset(&highest);
    ::sigaddset(&highest, SIGRTMAX);
    reports seen{alert};
    bool was_sent = false;
    coir::run(seen.options(), [&] {
        ::pthread_sigmask(SIG_BLOCK, &highest, &before);
        burn(long_time);
        was_sent = is_pending(SIGRTMAX);
        ::pthread_kill(::pthread_self(), SIGRTMAX);
    });
    const timespec at_once{};
    const int kept = ::sigtimedwait(&highest, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK_FALSE(was_sent);
    CHECK(kept == SIGRTMAX);
    CHECK(seen.hogs().size() == 1);
}

TEST_CASE("watch: many consecutive short runs, and runs without reports, work") {
    const coir::test::captured_log log;
    reports seen;
    for (int i = 0; i < 100; ++i) coir::run(seen.options(), [] { coir::this_fiber::yield(); });
    CHECK(seen.all().empty());
    CHECK(log.text().empty());
}
