// A process that was forked within a fiber.
#include <coir/coir.hpp>

#include "base/sanitizers.hpp"
#include "core/scheduler.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

using namespace std::chrono_literals;
using coir::test::ending;
using coir::test::in_child;
using coir::test::in_scheduler;
using coir::test::require;
using coir::test::status_of;

namespace {

/// No watchdog thread: with ThreadSanitizer, the child of a multi-threaded process cannot start threads.
const coir::run_options alone{.blocking = {.policy = coir::blocking_policy::off}};

/// Whether `operation` throws `not_in_fiber` with a message that says what to do.
bool is_refused(const std::function<void()>& operation) {
    try {
        operation();
    } catch (const coir::not_in_fiber& refused) {
        const std::string what = refused.what();
        return what.find("forked in a fiber") != what.npos && what.find("exec") != what.npos;
    }
    return false;
}

constinit int exit_code = 0;

/// Calls exit(3).
[[noreturn]] void end_process(int code) {
    exit_code = code;
    std::exit(code);
}

/// Runs `body` as a fiber in a new process; `body` forks. Returns the output of both processes.
ending in_forking_process(const std::function<void()>& body) {
    return in_child([&] {
#if defined(COIR_ASAN)
        // LeakSanitizer would check after this; memory that is only referenced from suspended fibers' stacks counts as
        // leaked.
        std::atexit([] { ::_exit(exit_code); });
#endif
        in_scheduler(alone, body);
    });
}

/// A pipe, and a fiber that reads a byte from it.
struct pipe_reader {
    std::pair<coir::io::reader, coir::io::writer> ends = coir::io::pipe();
    char got = 0;
    coir::fiber<void> fiber = coir::spawn([this] {
        std::array<std::byte, 1> byte;
        static_cast<void>(ends.first.read_exactly(byte));
        got = static_cast<char>(byte.front());
    });

    void write(char byte) { ends.second.write_all(std::as_bytes(std::span{&byte, 1})); }
};

}  // namespace

// ---- without a scheduler -------------------------------------------------------------------------------------------

TEST_CASE("fork: in a process forked in a fiber, calls that need a fiber throw at once and say what to do") {
    in_scheduler(alone, [] {
        coir::mutex mutex;
        coir::event event;
        coir::channel<int> channel;
        auto other = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        coir::this_fiber::yield();
        const ending child = in_child([&] {
            require(!coir::this_fiber::in_fiber(), "in a fiber");
            require(is_refused([] { coir::this_fiber::yield(); }), "yield");
            require(is_refused([] { coir::this_fiber::sleep_for(1ms); }), "sleep");
            require(is_refused([] { static_cast<void>(coir::this_fiber::id()); }), "id");
            require(is_refused([] { coir::spawn([] {}).detach(); }), "spawn");
            require(is_refused([&] { mutex.lock(); }), "mutex");
            require(is_refused([&] { event.wait(); }), "event");
            require(is_refused([&] { static_cast<void>(channel.recv()); }), "channel");
            require(is_refused([&] { other.join(); }), "join");
            require(is_refused([&] { other.request_stop(); }), "request_stop");
            require(is_refused([] { coir::offload([] {}); }), "offload");
            require(is_refused([] { static_cast<void>(coir::stats()); }), "stats");
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
    });
}

TEST_CASE("fork: unwinding in such a process releases its handles of the parent's fibers, and its copies of locks") {
    const ending all = in_forking_process([] {
        coir::mutex mutex;
        coir::recursive_mutex recursive;
        coir::shared_mutex shared;
        coir::event event;
        pid_t child = -1;
        try {
            const std::scoped_lock lock{mutex, recursive, shared};
            coir::task_group group;
            group.spawn([&] { event.wait(); });
            auto fiber = coir::spawn([&] { event.wait(); });
            auto ended = coir::spawn([] { throw std::runtime_error{"a mishap"}; });
            const coir::timeout_scope scope{1h};
            coir::this_fiber::yield();
            child = ::fork();
            if (child == 0) coir::this_fiber::yield();
            require(WEXITSTATUS(status_of(child)) == 7, "another end");
            event.set();
            group.wait();
            fiber.join();
            CHECK_THROWS(ended.get());
        } catch (const coir::not_in_fiber&) {
            ::_exit(child == 0 ? 7 : 1);
        }
    });
    INFO(all.output);
    CHECK_FALSE(all.died());
    CHECK(all.output.empty());
}

// ---- its end -------------------------------------------------------------------------------------------------------

TEST_CASE("fork: a process that reaches the end of the fiber ends with a message, and runs no other fiber") {
    const auto end_by = [](const std::function<void()>& last) {
        return in_forking_process([&] {
            const pid_t parent = ::getpid();
            auto other = coir::spawn([parent] {
                if (::getpid() != parent) std::puts("another fiber runs");
            });
            pid_t child = -1;
            // In a detached fiber, so no handle receives its exception.
            coir::spawn({.name = "forks"}, [&] {
                child = ::fork();
                if (child == 0) last();
            }).detach();
            while (child < 0) coir::this_fiber::yield();
            require(status_of(child) != 0, "no abort");
            std::puts("the parent goes on");
        });
    };
    for (const ending& all : {end_by([] {}), end_by([] { throw std::runtime_error{"a mishap"}; })}) {
        INFO(all.output);
        CHECK_FALSE(all.died());
        CHECK(all.says("reached the end of fiber #3 \"forks\""));
        CHECK(all.says("In the child, call exec, _exit or coir::run"));
        CHECK(all.says("the parent goes on"));
        CHECK_FALSE(all.says("another fiber runs"));
        CHECK_FALSE(all.says("never retrieved"));
    }
    CHECK(end_by([] { coir::this_fiber::yield(); }).says("this_fiber::yield was called in a process that was forked"));
    CHECK(end_by([] { throw std::runtime_error{"a mishap"}; }).says("with an exception (a mishap)"));
}

TEST_CASE("fork: a process that reaches the end of the first fiber ends the same way, and stops no fiber") {
    const ending all = in_forking_process([] {
        auto other = coir::spawn([parent = ::getpid()] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
                if (::getpid() != parent) std::puts("another fiber runs");
                throw;
            }
        });
        coir::this_fiber::yield();
        const pid_t child = ::fork();
        if (child == 0) return;
        require(status_of(child) != 0, "no abort");
    });
    INFO(all.output);
    CHECK_FALSE(all.died());
    CHECK(all.says("reached the end of fiber #1 \"main\""));
    CHECK_FALSE(all.says("another fiber runs"));
}

TEST_CASE("fork: a suspension without an effect ends the process with a message, with any schedule order") {
    for (const auto seed : {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{1}}) {
        const ending all = in_child([&] {
            coir::run_options options = alone;
            options.seed = seed;
            coir::run(options, [] {
                auto other = coir::spawn([parent = ::getpid()] {
                    if (::getpid() != parent) std::puts("another fiber runs");
                });
                coir::detail::scheduler& here = coir::detail::scheduler::get("test");
                const pid_t child = ::fork();
                if (child == 0) here.yield();
                require(status_of(child) != 0, "no abort");
            });
        });
        INFO(all.output);
        CHECK_FALSE(all.died());
        CHECK(all.says("a process that was forked in a fiber suspended that fiber"));
        CHECK_FALSE(all.says("another fiber runs"));
    }
}

TEST_CASE("fork: a process that calls exec or exits prints no message") {
    const ending all = in_forking_process([] {
        coir::mutex mutex;
        coir::this_fiber::yield();
        pid_t child = -1;
        {
            const std::scoped_lock lock{mutex};
            child = ::fork();
        }
        if (child == 0) ::execl("/bin/sh", "sh", "-c", "exit 6", nullptr);
        require(WEXITSTATUS(status_of(child)) == 6, "exec");
        child = ::fork();
        if (child == 0) ::_exit(7);
        require(WEXITSTATUS(status_of(child)) == 7, "_exit");
        child = ::fork();
        if (child == 0) end_process(8);
        require(WEXITSTATUS(status_of(child)) == 8, "exit");
        coir::this_fiber::sleep_for(1ms);
    });
    INFO(all.output);
    CHECK_FALSE(all.died());
    CHECK(all.output.empty());
}

TEST_CASE("fork: the parent is not affected if the child destroys static objects") {
    const ending all = in_forking_process([] {
        static struct {
            std::optional<pipe_reader> reader;
            coir::mutex mutex;
            coir::event event;
            coir::channel<int> channel;
            coir::barrier<> barrier{2};
            coir::shared_mutex shared;
            std::optional<coir::task_group> group;
            coir::fiber<void> sleeper;
        } things;
        things.reader.emplace();
        things.group.emplace();
        things.sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1ms); });
        things.group->spawn([] { static_cast<void>(things.channel.recv()); });
        things.group->spawn([] { things.event.wait(); });
        things.group->spawn([] { things.barrier.arrive_and_wait(); });
        std::unique_lock lock{things.mutex};
        std::unique_lock alone_in_shared{things.shared};
        things.group->spawn([] { const std::scoped_lock waits{things.mutex}; });
        things.group->spawn([] { const std::shared_lock waits{things.shared}; });
        coir::this_fiber::yield();

        const pid_t child = ::fork();
        if (child == 0) end_process(7);
        require(WEXITSTATUS(status_of(child)) == 7, "another end");

        things.reader->write('x');
        things.reader->fiber.join();
        require(things.reader->got == 'x', "another byte");
        things.sleeper.join();
        things.channel.send(1);
        things.event.set();
        things.barrier.arrive_and_wait();
        lock.unlock();
        alone_in_shared.unlock();
        things.group->wait();
        things.group.reset();
        things.reader.reset();
        things.sleeper = {};
    });
    INFO(all.output);
    CHECK_FALSE(all.died());
    CHECK(all.output.empty());
}

// ---- a scheduler of its own ----------------------------------------------------------------------------------------

TEST_CASE("fork: such a process may run its own fibers, and the parent's fibers are not affected") {
    in_scheduler(alone, [] {
        pipe_reader reader;
        coir::this_fiber::yield();
        const ending child = in_child([&] {
            const int result = coir::run(alone, [] {
                pipe_reader own;
                auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1ms); });
                own.write('y');
                own.fiber.join();
                sleeper.join();
                require(coir::stats().fibers_alive == 1, "fibers");
                return own.got;
            });
            require(result == 'y', "another byte");
            require(is_refused([] { coir::this_fiber::yield(); }), "yield");
            // It may do so repeatedly.
            coir::run(alone, [] { coir::this_fiber::yield(); });
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
        CHECK_FALSE(reader.fiber.done());
        reader.write('x');
        reader.fiber.join();
        CHECK(reader.got == 'x');
    });
}

TEST_CASE("fork: run in the forked process throws the exception of its first fiber, and detects a deadlock") {
    in_scheduler(alone, [] {
        const ending child = in_child([] {
            try {
                coir::run(alone, [] {
                    coir::event forever;
                    forever.wait();
                });
                require(false, "has ended");
            } catch (const coir::deadlock&) {
                coir::run(alone, [] { throw std::runtime_error{"a mishap"}; });
            }
        });
        CHECK(child.exit_code == 3);
        CHECK(child.says("a mishap"));
    });
}

TEST_CASE("fork: time is real in the child of a fiber with virtual time") {
    coir::run_options options = alone;
    options.clock = coir::clock_mode::virtual_time;
    coir::run(options, [] {
        const auto here = coir::clock::now();
        CHECK(coir::clock::now() == here);
        const ending child = in_child([] {
            const auto before = std::chrono::steady_clock::now();
            const auto now = coir::clock::now().time_since_epoch();
            const auto after = std::chrono::steady_clock::now();
            require(before.time_since_epoch() <= now && now <= after.time_since_epoch(), "another time");
            coir::run(alone, [] { coir::this_fiber::sleep_for(1ms); });
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
    });
}

TEST_CASE("fork: a process forked by a thread without fibers can run fibers, even if the parent does") {
    const ending child = in_child([] {
        require(!coir::this_fiber::in_fiber(), "in a fiber");
        coir::run(alone, [] { coir::this_fiber::yield(); });
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("fork: a forked process can fork in a fiber") {
    in_scheduler(alone, [] {
        const ending child = in_child([] {
            coir::run(alone, [] {
                const ending its_child = in_child([] {
                    require(is_refused([] { coir::this_fiber::yield(); }), "yield");
                    coir::run(alone, [] { coir::this_fiber::yield(); });
                });
                require(!its_child.died(), its_child.output);
                coir::this_fiber::yield();
            });
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
    });
}

// ---- objects of the parent's scheduler -----------------------------------------------------------------------------

TEST_CASE("fork: locks and waits of the parent's fibers are free, and belong to the first user") {
    in_scheduler(alone, [] {
        coir::mutex mutex;
        coir::event event;
        coir::wait_queue queue{"a test"};
        coir::channel<int> channel;
        std::unique_lock lock{mutex};
        coir::task_group waiting;
        waiting.spawn([&] { const std::scoped_lock waits{mutex}; });
        waiting.spawn([&] { event.wait(); });
        waiting.spawn([&] { queue.wait(); });
        waiting.spawn([&] { static_cast<void>(channel.recv()); });
        coir::this_fiber::yield();
        const ending child = in_child([&] {
            coir::run(alone, [&] {
                require(mutex.try_lock(), "is held");
                auto next = coir::spawn([&] { const std::scoped_lock waits{mutex}; });
                coir::this_fiber::yield();
                mutex.unlock();
                next.join();
                auto event_waits = coir::spawn([&] { event.wait(); });
                auto queue_waits = coir::spawn([&] { queue.wait(); });
                auto receives = coir::spawn([&] { return *channel.recv(); });
                require(!channel.try_send(1), "somebody receives");
                coir::this_fiber::yield();
                event.set();
                require(queue.wake_one(), "nobody waits");
                require(!queue.wake_one(), "another one waits");
                channel.send(42);
                event_waits.join();
                queue_waits.join();
                require(receives.get() == 42, "another value");
            });
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
        // In the parent, nothing has changed.
        CHECK_FALSE(queue.empty());
        lock.unlock();
        event.set();
        CHECK(queue.wake_one());
        channel.send(1);
        waiting.wait();
    });
}

TEST_CASE("fork: calls that never suspend act on the child's own copy, even without a scheduler") {
    in_scheduler(alone, [] {
        coir::event event;
        coir::counting_semaphore<> semaphore{0};
        auto waits = coir::spawn([&] { event.wait(); });
        auto acquires = coir::spawn([&] { semaphore.acquire(); });
        coir::this_fiber::yield();
        const ending child = in_child([&] {
            event.set();
            semaphore.release();
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
        CHECK_FALSE(event.is_set());
        event.set();
        semaphore.release();
        waits.join();
        acquires.join();
    });
}
