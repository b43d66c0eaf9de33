#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/threads_called.hpp"
#include "thread/blocker.hpp"
#include "thread/detached_work.hpp"
#include "thread/offload_in.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::detail::lane;
using coir::test::blocker;
using coir::test::in_scheduler;
using coir::test::threads_called;

namespace {

constexpr auto patience = 20s;  // longer than any of these calls takes on a busy machine

template <class F> auto call_in(lane pool, F f, coir::deadline until = patience) {
    return coir::detail::call_detached(pool, coir::detail::scheduler::enter("test"), "test", until, f);
}

constexpr int file_threads = 64;

}  // namespace

TEST_CASE("detached_work: slow work of one kind does not hold up another kind") {
    in_scheduler([] {
        for (const lane slow : {lane::work, lane::files, lane::names, lane::local_names}) {
            const blocker held;
            std::vector<coir::fiber<void>> waiting;
            for (int i = 0; i < 70; ++i) {
                waiting.push_back(coir::spawn([&, call = held.call()] {
                    if (slow == lane::work)
                        coir::detail::offload_in(slow, [&] { call(); });
                    else
                        static_cast<void>(call_in(slow, call));
                }));
            }
            held.wait_for(4);
            for (const lane each : {lane::work, lane::files, lane::names, lane::local_names}) {
                if (each == slow) continue;
                CHECK(call_in(each, [] { return 42; }) == 42);
                CHECK(coir::detail::offload_in(each, [] { return 42; }) == 42);
            }
            held.end();
        }
    });
}

TEST_CASE("detached_work: abandoned work makes room for queued work and for later work") {
    in_scheduler([] {
        const blocker held;
        std::vector<coir::fiber<void>> abandoning;
        for (int i = 0; i < file_threads; ++i) {
            abandoning.push_back(coir::spawn([call = held.call()] { static_cast<void>(call_in(lane::files, call)); }));
        }
        held.wait_for(file_threads);
        auto queued = coir::spawn([] { return call_in(lane::files, [] { return 1; }); });
        coir::this_fiber::yield();
        for (auto& each : abandoning) each.request_stop();
        CHECK(queued.get() == 1);
        CHECK(call_in(lane::files, [] { return 2; }) == 2);
    });
}

TEST_CASE("detached_work: work that is abandoned again and again gets a bounded number of threads") {
    in_scheduler([] {
        const blocker held;
        for (int i = 0; i < 400; ++i) {
            auto abandoning = coir::spawn([call = held.call()] { static_cast<void>(call_in(lane::files, call)); });
            coir::this_fiber::yield();
            if (i < 100) held.wait_for(i + 1);
            abandoning.request_stop();
        }
        CHECK(threads_called("coir-files") <= 256 + file_threads);
        CHECK_FALSE(call_in(lane::names, [] { return 1; }) == std::nullopt);
    });
}

TEST_CASE("detached_work: abandoned work does not hold up the end of the process") {
    const auto child = coir::test::in_child([] {
        static const blocker held;  // its destructor comes after the end of the pools, or not at all
        in_scheduler([] {
            for (int i = 0; i < 3; ++i) {
                auto abandoning = coir::spawn([] { static_cast<void>(call_in(lane::names, held.call())); });
                held.wait_for(i + 1);
                abandoning.request_stop();
            }
        });
        std::exit(7);
    });
    INFO(child.output);
    CHECK(child.exit_code == 7);
}

TEST_CASE("detached_work: the threads of work that was abandoned and has ended serve on, or end") {
    in_scheduler([] {
        for (int round = 0; round < 5; ++round) {
            const blocker held;
            std::vector<coir::fiber<void>> abandoning;
            for (int i = 0; i < 100; ++i) {
                abandoning.push_back(
                    coir::spawn([call = held.call()] { static_cast<void>(call_in(lane::files, call)); }));
            }
            held.wait_for(file_threads);
            for (auto& each : abandoning) each.request_stop();
            for (auto& each : abandoning) each.join();
            CHECK(call_in(lane::files, [] { return 1; }) == 1);
        }
        CHECK(call_in(lane::files, [] { return 2; }) == 2);
        while (threads_called("coir-files") > file_threads) coir::this_fiber::sleep_for(1ms);
    });
}
