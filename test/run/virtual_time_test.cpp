#include <coir/blocking.hpp>
#include <coir/clock.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/gather.hpp>
#include <coir/io/io.hpp>
#include <coir/net/tcp.hpp>
#include <coir/run.hpp>
#include <coir/sync/condition_variable.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using coir::clock_mode;
using coir::this_fiber::sleep_for;

namespace {

template <class F> void in_virtual_time(F&& body) { coir::run({.clock = clock_mode::virtual_time}, body); }

coir::clock::time_point now() { return coir::clock::now(); }

bool is_ahead_of_real_time() {
    const auto here = now().time_since_epoch();
    return here > std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

TEST_CASE("virtual time: a sleep of a year passes at once, and takes a year by coir's clock") {
    in_virtual_time([] {
        const auto began = now();
        sleep_for(24h * 365);
        CHECK(now() - began == 24h * 365);
    });
}

TEST_CASE("virtual time: stands still while fibers run") {
    in_virtual_time([] {
        const auto began = now();
        const auto real = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() == real) coir::this_fiber::yield();
        for (int i = 0; i < 1'000; ++i) coir::this_fiber::yield();
        CHECK(now() == began);
    });
}

TEST_CASE("virtual time: starts at the real time, and the clock is real again after run") {
    const auto before = now();
    in_virtual_time([&] {
        CHECK(now() >= before);
        CHECK_FALSE(is_ahead_of_real_time());
        sleep_for(1h);
        CHECK(is_ahead_of_real_time());
    });
    CHECK_FALSE(is_ahead_of_real_time());
}

TEST_CASE("virtual time: sleepers wake in the order of their deadlines, each exactly at its own") {
    in_virtual_time([] {
        const auto began = now();
        std::vector<std::chrono::nanoseconds> woken;
        const auto sleeper = [&](std::chrono::hours length) {
            return [&woken, began, length] {
                sleep_for(length);
                woken.push_back(now() - began);
            };
        };
        coir::gather(sleeper(3h), sleeper(1h), sleeper(2h));
        CHECK(woken == std::vector<std::chrono::nanoseconds>{1h, 2h, 3h});
    });
}

TEST_CASE("virtual time: many sleepers wake at the exact times") {
    in_virtual_time([] {
        const auto began = now();
        int wrong = 0;
        std::vector<coir::fiber<void>> crowd;
        for (int i = 0; i < 1'000; ++i) {
            crowd.push_back(coir::spawn([&, length = std::chrono::milliseconds{(i * 7'919) % 100'000}] {
                sleep_for(length);
                if (now() - began != length) ++wrong;
            }));
        }
        for (auto& each : crowd) each.get();
        CHECK(wrong == 0);
    });
}

TEST_CASE("virtual time: all kinds of deadlines use it") {
    in_virtual_time([] {
        coir::counting_semaphore<> none{0};
        const auto began = now();
        CHECK_FALSE(none.try_acquire_for(1h));
        CHECK(now() - began == 1h);
        CHECK_FALSE(none.try_acquire_until(now() + 1h));
        CHECK(now() - began == 2h);
        CHECK_THROWS_AS(none.acquire(1h), coir::timed_out);
        CHECK(now() - began == 3h);
        CHECK_THROWS_AS(coir::with_timeout(1h, [] { sleep_for(2h); }), coir::timed_out);
        CHECK(now() - began == 4h);
    });
}

TEST_CASE("virtual time: a time point of steady_clock keeps its distance from steady_clock's now") {
    in_virtual_time([] {
        const auto began = now();
        const auto real = std::chrono::steady_clock::now();
        coir::this_fiber::sleep_until(real + 1h);
        const auto slept = now() - began;
        CHECK(slept <= 1h);
        CHECK(slept > 1h - (std::chrono::steady_clock::now() - real));
        coir::this_fiber::sleep_until(real - 1h);
        coir::this_fiber::sleep_until(std::chrono::steady_clock::time_point::min());
        CHECK(now() - began == slept);
        CHECK(coir::deadline{std::chrono::steady_clock::time_point::max()}.is_never());
    });
}

TEST_CASE("virtual time: condition variables of std use it") {
    in_virtual_time([] {
        coir::mutex turns;
        coir::condition_variable changed;
        std::unique_lock lock{turns};
        const auto began = now();
        CHECK_FALSE(changed.wait_for(lock, 1h, [] { return false; }));
        CHECK(now() - began == 1h);
    });
}

TEST_CASE("virtual time: does not jump while a thread works for a fiber") {
    in_virtual_time([] {
        std::atomic<bool> may_end = false;
        auto alarm = coir::spawn([] { sleep_for(1h); });
        const auto began = now();
        auto work = coir::spawn([&] { coir::offload([&] { may_end.wait(false); }); });
        // Real milliseconds pass here, in which an incorrect jump would happen.
        for (int i = 0; i < 5; ++i) sleep_for(1ms);
        CHECK_FALSE(alarm.done());
        may_end = true;
        may_end.notify_all();
        work.get();
        CHECK(now() - began < 1h);
        alarm.get();
        CHECK(now() - began >= 1h);
    });
}

TEST_CASE("virtual time: advances like real time while a fiber waits for a descriptor") {
    in_virtual_time([] {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        const coir::detail::unique_fd out{ends[0]};
        const coir::detail::unique_fd in{ends[1]};
        auto reader = coir::spawn([&] { coir::io::wait_readable(out.get()); });
        const auto real = std::chrono::steady_clock::now();
        const auto began = now();
        sleep_for(5ms);
        CHECK(now() - began >= 5ms);
        CHECK(std::chrono::steady_clock::now() - real >= 5ms);
        CHECK_FALSE(reader.done());
        CHECK(::write(in.get(), "x", 1) == 1);
        reader.get();
    });
}

TEST_CASE("virtual time past io: both ends of a connection may be fibers, and timeouts pass at once") {
    coir::run({.clock = clock_mode::virtual_time_past_io}, [] {
        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        auto server = coir::spawn([&] {
            auto peer = listener.accept();
            sleep_for(1h);  // a slow answer
            peer.write_all(std::as_bytes(std::span{"late", 4}));
        });
        auto stream = coir::net::tcp_stream::connect(listener.local_endpoint());
        const auto began = now();
        std::array<std::byte, 4> answer{};
        CHECK_THROWS_AS(static_cast<void>(stream.read_some(answer, 10min)), coir::timed_out);
        CHECK(now() - began >= 10min);
        CHECK(stream.read_exactly(answer) == 4);
        CHECK(now() - began >= 1h);
        CHECK(now() - began < 2h);
        server.get();
    });
}

TEST_CASE("virtual time: a deadlock is found as in real time") {
    CHECK_THROWS_AS(in_virtual_time([] {
                        sleep_for(1h);
                        coir::this_fiber::sleep_until(coir::never);
                    }),
                    coir::deadlock);
}

TEST_CASE("virtual time: each thread has its own virtual time") {
    in_virtual_time([] {
        const auto began = now();
        sleep_for(1h);
        std::chrono::nanoseconds elsewhere{};
        const coir::allow_blocking permit{"a thread that ends at once"};
        std::thread{[&] { elsewhere = now() - began; }}.join();
        CHECK(elsewhere < 1h);
    });
}
