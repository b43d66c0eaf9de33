#include <coir/blocking.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/thread/spawn_on.hpp>
#include <coir/timeout.hpp>

#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_scheduler.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using coir::spawn_on;
using coir::test::captured_log;
using coir::test::error_of;
using coir::test::in_scheduler;
using coir::test::other_scheduler;
using namespace std::chrono_literals;

TEST_CASE("spawn_on: a fiber of another scheduler runs the function, and a fiber of this one gets the result") {
    other_scheduler there;
    in_scheduler([&] {
        auto answer = spawn_on(
            there.ref,
            [](std::unique_ptr<int> number) {
                coir::this_fiber::yield();
                return std::pair{std::move(number), std::this_thread::get_id()};
            },
            std::make_unique<int>(42));
        const auto [number, thread] = answer.get();
        CHECK(*number == 42);
        CHECK(thread == there.thread());
        CHECK_FALSE(answer.joinable());
    });
}

TEST_CASE("spawn_on: a thread without a scheduler can join as well") {
    other_scheduler there;
    std::vector<coir::remote_fiber<int>> squares;
    for (int i = 0; i < 10; ++i) squares.push_back(spawn_on(there.ref, [i] { return i * i; }));
    int sum = 0;
    for (auto& square : squares) sum += square.get();
    CHECK(sum == 285);
}

TEST_CASE("spawn_on: can spawn in the calling fiber's own scheduler too") {
    in_scheduler([] {
        int number = 7;
        auto same = spawn_on(coir::this_scheduler(), {.name = "here"}, [&]() -> int& {
            CHECK(coir::this_fiber::name() == "here");
            return number;
        });
        CHECK(&same.get() == &number);
    });
}

TEST_CASE("spawn_on: get throws the exception of the function") {
    other_scheduler there;
    in_scheduler([&] {
        auto fails = spawn_on(there.ref, [] { throw std::runtime_error{"over there"}; });
        CHECK_THROWS_WITH_AS(fails.get(), "over there", std::runtime_error);
    });
}

TEST_CASE("spawn_on: the function is destroyed in its own thread, before the end is reported") {
    other_scheduler there;
    struct tattler {
        explicit tattler(std::thread::id* where) noexcept : died_in{where} {}
        tattler(tattler&& other) noexcept : died_in{std::exchange(other.died_in, nullptr)} {}
        ~tattler() {
            if (died_in != nullptr) *died_in = std::this_thread::get_id();
        }
        std::thread::id* died_in;
    };
    std::thread::id died_in;
    auto owner = spawn_on(there.ref, [held = tattler{&died_in}] {});
    owner.join();
    CHECK(died_in == there.thread());
    CHECK(owner.done());
    owner.get();
}

TEST_CASE("spawn_on: a stop reaches the fiber in its own scheduler, in any wait") {
    other_scheduler there;
    in_scheduler([&] {
        std::promise<void> waits;
        auto sleeper = spawn_on(there.ref, [&] {
            waits.set_value();
            coir::this_fiber::sleep_for(1h);
        });
        coir::offload([&] { waits.get_future().get(); });
        sleeper.request_stop();
        sleeper.request_stop();
        CHECK_THROWS_AS(sleeper.get(), coir::fiber_stopped);
    });
}

TEST_CASE("spawn_on: a stop before the fiber has started is delivered at its first suspension") {
    other_scheduler there;
    std::promise<void> go_on;
    there.ref.post([&] {
        const coir::allow_blocking permit{"the test wants to be first"};
        go_on.get_future().get();
    });
    bool began = false;
    auto late = spawn_on(there.ref, [&] {
        began = true;
        coir::this_fiber::yield();
    });
    late.request_stop();
    go_on.set_value();
    CHECK_THROWS_AS(late.get(), coir::fiber_stopped);
    CHECK(began);
}

TEST_CASE("spawn_on: stop callbacks run in the fiber's own thread") {
    other_scheduler there;
    std::promise<void> waits;
    std::thread::id called_in;
    auto fiber = spawn_on(there.ref, [&] {
        const std::stop_callback on_stop{coir::this_fiber::stop_token(),
                                         [&] { called_in = std::this_thread::get_id(); }};
        waits.set_value();
        coir::this_fiber::sleep_for(1h);
    });
    waits.get_future().get();
    fiber.request_stop();
    fiber.join();
    CHECK(called_in == there.thread());
    CHECK_THROWS_AS(fiber.get(), coir::fiber_stopped);
}

TEST_CASE("spawn_on: the handle's destructor stops the fiber and waits for its end") {
    other_scheduler there;
    bool ended = false;
    const auto endless = [&] {
        struct at_end {
            bool& flag;
            ~at_end() { flag = true; }
        } const mark{ended};
        coir::this_fiber::sleep_for(1h);
    };
    { const auto dropped = spawn_on(there.ref, endless); }
    CHECK(ended);
    ended = false;
    in_scheduler([&] { const auto dropped = spawn_on(there.ref, endless); });
    CHECK(ended);
}

TEST_CASE("spawn_on: assigning to a handle stops and joins its previous fiber") {
    other_scheduler there;
    bool ended = false;
    auto handle = spawn_on(there.ref, [&] {
        try {
            coir::this_fiber::sleep_for(1h);
        } catch (const coir::cancelled&) {
            ended = true;
        }
    });
    handle = spawn_on(there.ref, [] {});
    CHECK(ended);
    handle.get();
}

TEST_CASE("spawn_on: an exception without get is logged, and that of a detached fiber goes to its scheduler") {
    captured_log log;
    std::string told;
    std::promise<void> detached;
    {
        other_scheduler there{{.on_unhandled_exception = [&](std::exception_ptr failure, std::string_view name) {
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                told = std::string{name} + ": " + thrown.what();
            }
        }}};
        {
            auto unloved = spawn_on(there.ref, [] { throw std::runtime_error{"unheard"}; });
            unloved.join();
        }
        auto free = spawn_on(there.ref, {.name = "free"}, [&] {
            const coir::allow_blocking permit{"the test lets it go first"};
            detached.get_future().get();
            throw std::runtime_error{"alone"};
        });
        free.detach();
        CHECK_FALSE(free.joinable());
        detached.set_value();
    }
    CHECK(log.count("unheard") == 1);
    CHECK(told == "free: alone");
}

TEST_CASE("spawn_on: a fiber may be detached while an exception unwinds in it") {
    std::string told;
    std::promise<void> unwinds;
    std::promise<void> detached;
    {
        other_scheduler there{{.on_unhandled_exception = [&](std::exception_ptr failure, std::string_view) {
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                told = thrown.what();
            }
        }}};
        struct slow_to_go {
            ~slow_to_go() {
                if (unwinds == nullptr) return;
                const coir::allow_blocking permit{"the test lets it go meanwhile"};
                unwinds->set_value();
                detached->get_future().get();
            }
            slow_to_go(std::promise<void>& first, std::promise<void>& second) noexcept
                : unwinds{&first}, detached{&second} {}
            slow_to_go(slow_to_go&& other) noexcept
                : unwinds{std::exchange(other.unwinds, nullptr)}, detached{other.detached} {}
            std::promise<void>* unwinds;
            std::promise<void>* detached;
        };
        auto fails = spawn_on(
            there.ref, [](const slow_to_go&) { throw std::runtime_error{"late"}; }, slow_to_go{unwinds, detached});
        unwinds.get_future().get();
        fails.detach();
        detached.set_value();
    }
    CHECK(told == "late");
}

TEST_CASE("spawn_on: joins time out or are stopped, and may be repeated") {
    other_scheduler there;
    in_scheduler([&] {
        auto sleeper = spawn_on(there.ref, [] { coir::this_fiber::sleep_for(1h); });
        CHECK(sleeper.wait_for(1ms) == std::future_status::timeout);
        CHECK_THROWS_AS(sleeper.join(1ms), coir::timed_out);
        CHECK_THROWS_AS(sleeper.get(1ms), coir::timed_out);
        auto joins = coir::spawn([&] { sleeper.join(); });
        coir::this_fiber::yield();
        joins.request_stop();
        joins.join();
        CHECK_FALSE(sleeper.done());
        sleeper.request_stop();
        sleeper.join();
        CHECK(sleeper.done());
    });
}

TEST_CASE("spawn_on: a fiber that joins itself, and an empty handle, get an error") {
    in_scheduler([] {
        coir::remote_fiber<void> self;
        std::errc code{};
        coir::event tried;
        self = spawn_on(coir::this_scheduler(), [&] {
            code = error_of([&] { self.join(); });
            tried.set();
        });
        tried.wait();
        CHECK(code == std::errc::resource_deadlock_would_occur);
        coir::remote_fiber<void> none;
        CHECK(error_of([&] { none.join(); }) == std::errc::invalid_argument);
        CHECK(error_of([&] { none.request_stop(); }) == std::errc::invalid_argument);
    });
}

TEST_CASE("spawn_on: in an ended scheduler nothing is spawned") {
    other_scheduler there;
    there.end();
    CHECK_THROWS_AS(static_cast<void>(spawn_on(there.ref, [] {})), coir::scheduler_gone);
}

TEST_CASE("spawn_on: when its scheduler ends, the fiber is stopped, and its joiners are woken") {
    auto there = std::make_unique<other_scheduler>();
    auto sleeper = spawn_on(there->ref, [] { coir::this_fiber::sleep_for(1h); });
    there.reset();
    CHECK(sleeper.done());
    sleeper.request_stop();  // has no effect
    CHECK_THROWS_AS(sleeper.get(), coir::fiber_stopped);
}

TEST_CASE("spawn_on: two schedulers may spawn in each other and wait for each other repeatedly") {
    other_scheduler there;
    in_scheduler([&] {
        const auto here = coir::this_scheduler();
        std::function<int(int)> count_down = [&](int left) {
            if (left == 0) return 0;
            return 1 + spawn_on(left % 2 == 0 ? there.ref : here, [&, left] { return count_down(left - 1); }).get();
        };
        CHECK(count_down(50) == 50);
    });
}
