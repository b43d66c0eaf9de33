#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/fiber_local.hpp>
#include <coir/shield.hpp>
#include <coir/sync/event.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/thread/scheduler_ref.hpp>
#include <coir/thread/spawn_on.hpp>
#include <coir/timeout.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using coir::test::in_child;
using coir::test::in_scheduler;

namespace {

/// Says goodbye, which takes a moment, when it is destroyed.
class session {
public:
    explicit session(int& ended) : ended_{&ended} {}
    session(session&& other) noexcept : ended_{std::exchange(other.ended_, nullptr)} {}
    session& operator=(session&&) = delete;
    ~session() {
        if (ended_ == nullptr) return;
        coir::this_fiber::sleep_for(1ms);
        ++*ended_;
    }

private:
    int* ended_;
};

[[noreturn]] void fail() { throw std::runtime_error{"not coir's"}; }

/// Ends on the normal way, with a stop due.
void be_stopped() {
    const coir::shield_scope shield;
    coir::this_fiber::sleep_for(5ms);
}

template <class R> void stop_and_join(coir::fiber<R> fiber) {
    coir::this_fiber::sleep_for(1ms);
    fiber.request_stop();
    fiber.join();
}

}  // namespace

TEST_CASE("destructor: captures and arguments of a stopped fiber may wait in their destructors") {
    in_scheduler([] {
        int ended = 0;
        stop_and_join(coir::spawn([held = session{ended}] { be_stopped(); }));
        CHECK(ended == 1);
        stop_and_join(coir::spawn([](const session&) { be_stopped(); }, session{ended}));
        CHECK(ended == 2);
        auto fails = coir::spawn([held = session{ended}] {
            be_stopped();
            throw std::runtime_error{"failed"};
        });
        coir::this_fiber::sleep_for(1ms);
        fails.request_stop();
        CHECK_THROWS_AS(fails.get(), std::runtime_error);
        CHECK(ended == 3);
    });
}

TEST_CASE("destructor: captures of group members, posted calls and fibers of other threads may wait") {
    in_scheduler([] {
        int ended = 0;
        {
            coir::task_group group;
            group.spawn([held = session{ended}] { be_stopped(); });
            coir::this_fiber::sleep_for(1ms);
        }
        CHECK(ended == 1);
        const auto here = coir::this_scheduler();
        coir::event begun;
        auto remote = coir::spawn_on(here, [&begun, held = session{ended}] {
            begun.set();
            be_stopped();
        });
        begun.wait();
        remote.request_stop();
        remote.join();
        CHECK(ended == 2);
    });
    int ended = 0;
    in_scheduler([&] {
        // The end of the first fiber stops the others.
        coir::spawn([held = session{ended}] { be_stopped(); }).detach();
        coir::this_scheduler().post([held = std::make_shared<session>(ended)] { be_stopped(); });
        coir::this_fiber::sleep_for(1ms);
    });
    CHECK(ended == 2);
}

TEST_CASE("destructor: results that are never retrieved may wait") {
    int ended = 0;
    in_scheduler([&] {
        const auto give = [&] {
            be_stopped();
            return session{ended};
        };
        stop_and_join(coir::spawn(give));  // the handle destroys the result
        CHECK(ended == 1);
        {
            coir::task_group group;
            group.spawn(give);
            coir::this_fiber::sleep_for(1ms);
        }
        CHECK(ended == 2);
        // The fiber that gives up the handle is stopped itself.
        stop_and_join(coir::spawn([&] {
            const coir::shield_scope until_the_end;
            auto inner = coir::spawn([&] { return session{ended}; });
            coir::this_fiber::sleep_for(5ms);
        }));
        CHECK(ended == 3);
        coir::spawn(give).detach();
        coir::this_fiber::sleep_for(1ms);
    });
    CHECK(ended == 4);
}

TEST_CASE("destructor: an expired limit does not interrupt the destructor of a result") {
    in_scheduler([] {
        int ended = 0;
        auto ready = std::make_unique<coir::fiber<session>>(coir::spawn([&] { return session{ended}; }));
        ready->join();
        const coir::timeout_scope late{-1s};
        ready.reset();
        CHECK(ended == 1);
    });
}

TEST_CASE("destructor: values of fiber_local may wait in their destructors") {
    static coir::fiber_local<std::unique_ptr<session>> local;
    in_scheduler([] {
        int ended = 0;
        stop_and_join(coir::spawn([&] {
            *local = std::make_unique<session>(ended);
            be_stopped();
        }));
        CHECK(ended == 1);
    });
}

// ThreadSanitizer's build inlines the destructor and ends in a cleanup of the caller.
constexpr bool inlined = coir::test::thread_sanitized;

TEST_CASE("destructor: one that waits elsewhere while a stop is due is named, with what to do") {
    const auto how = in_child([] {
        in_scheduler([] {
            int ended = 0;
            stop_and_join(coir::spawn([&] {
                const session local{ended};
                be_stopped();
            }));
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("a stop (coir::cancelled) ended a wait in a destructor"));
    CHECK((inlined || how.says("~session")));
    CHECK(how.says("coir::shield_scope"));
    CHECK(how.says("in fiber #"));
}

TEST_CASE("destructor: one that waits with an expired limit is named too") {
    const auto how = in_child([] {
        in_scheduler([] {
            int ended = 0;
            const coir::timeout_scope late{-1s};
            const session local{ended};
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("an expired limit in time (coir::scope_expired) ended a wait in a destructor"));
    CHECK((inlined || how.says("~session")));
}

TEST_CASE("destructor: a program's own terminate handler is called, and is the same after run") {
    const auto how = in_child([] {
        std::set_terminate([] { std::_Exit(42); });
        const std::terminate_handler own = std::get_terminate();
        in_scheduler([] {});
        if (std::get_terminate() != own) return;
        in_scheduler([]() noexcept { fail(); });
    });
    CHECK(how.exit_code == 42);
    CHECK_FALSE(how.says("coir:"));
}
