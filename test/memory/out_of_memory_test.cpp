#include <coir/coir.hpp>

#include "memory/failing_allocations.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using coir::test::deadly_allocations;
using coir::test::in_scheduler;
using coir::test::no_memory;

namespace {

const coir::run_options undetected{.blocking = {.policy = coir::blocking_policy::off}};
const std::string long_message(40, 'x');

void use_fibers() {
    coir::run(undetected, [] {
        auto named = coir::spawn({.name = long_message}, [] { return 1; });
        static_cast<void>(named.get());
        coir::channel<int> values{1};
        coir::task_group group;
        group.spawn([&] {
            values.send(1);
            values.close();
        });
        group.spawn([&] {
            while (values.recv()) coir::this_fiber::yield();
        });
        group.wait();
        coir::spawn([] { throw std::runtime_error{long_message}; }).detach();
        coir::this_fiber::sleep_for(1ms);
        static_cast<void>(coir::this_scheduler());
    });
}

void use_threads() {
    coir::run(undetected, [] {
        coir::offload([] {});
        coir::parallel_for(0, 10, [](int) {});
        static_cast<void>(coir::io::read_file("/etc/hostname"));
        std::error_code ec;
        static_cast<void>(coir::net::resolve("localhost", "80", 10s, ec));
    });
}

void use_connections() {
    coir::run(undetected, [] {
        auto listener = coir::net::tcp_listener::bind(coir::net::endpoint{"127.0.0.1", 0});
        coir::task_group group;
        group.spawn([&] { listener.accept().write_all("hello"); });
        group.spawn([&] {
            std::array<std::byte, 5> word;
            static_cast<void>(coir::net::tcp_stream::connect(listener.local_endpoint()).read_exactly(word));
        });
        group.wait();
        const auto [reader, writer] = coir::io::pipe();
        const coir::signal_set signals{SIGUSR1};
        const coir::io::directory_watch watch{"/tmp"};
    });
}

void use_processes() {
    coir::run(undetected, [] { static_cast<void>(coir::run_process({"/bin/true"})); });
}

void use_several_schedulers() {
    coir::run_on_cores(2, undetected, [](unsigned) {
        auto stopped = coir::spawn_on(coir::this_scheduler(), [] {
            static_cast<void>(coir::this_fiber::stop_token());
            coir::this_fiber::sleep_for(10s);
        });
        stopped.request_stop();
        stopped.join();
        auto failing = coir::spawn_on(coir::this_scheduler(), [] { throw std::runtime_error{long_message}; });
        failing.join();
        coir::promise<int> promise;
        coir::future<int> future = promise.get_future();
        coir::promise<int>{}.swap(promise);
        try {
            static_cast<void>(future.get());
        } catch (const std::future_error&) {
        }
    });
}

void end_by_deadlock() {
    coir::run(undetected, [] {
        coir::event never;
        auto other = coir::spawn([&] { never.wait(); });
        never.wait();
    });
}

void use_a_seed() {
    coir::test::explore(
        3,
        [] {
            coir::task_group group;
            for (int i = 0; i < 4; ++i) group.spawn([] { coir::this_fiber::sleep_for(1ms); });
            group.wait();
        },
        undetected);
}

void block() {
    coir::run({.blocking = {.stall_threshold = 5ms}}, [] {
        std::this_thread::sleep_for(15ms);
        coir::this_fiber::yield();
    });
}

}  // namespace

TEST_CASE("out of memory: no failing allocation ends a program that uses fibers") {
    CHECK(deadly_allocations(use_fibers) == "");
}

TEST_CASE("out of memory: no failing allocation ends a program that uses threads, files and names") {
    CHECK(deadly_allocations(use_threads) == "");
}

TEST_CASE("out of memory: no failing allocation ends a program that uses connections, pipes and signals") {
    CHECK(deadly_allocations(use_connections) == "");
}

TEST_CASE("out of memory: no failing allocation ends a program that uses processes") {
    CHECK(deadly_allocations(use_processes) == "");
}

TEST_CASE("out of memory: no failing allocation ends a program that uses several schedulers") {
    CHECK(deadly_allocations(use_several_schedulers) == "");
}

TEST_CASE("out of memory: no failing allocation ends a program that is in a deadlock") {
    CHECK(deadly_allocations(end_by_deadlock, 9) == "");
}

TEST_CASE("out of memory: no failing allocation ends a program that uses a seed") {
    CHECK(deadly_allocations(use_a_seed) == "");
}

TEST_CASE("out of memory: no failing allocation of the watchdog ends a program") {
    CHECK(deadly_allocations(block, 23) == "");
}

TEST_CASE("out of memory: a descriptor that could not be registered can be used later, and closed") {
    coir::run(undetected, [] {
        auto [reader, writer] = coir::io::pipe();
        std::array<std::byte, 1> byte;
        std::error_code ec;
        {
            const no_memory now;
            CHECK_THROWS_AS(reader.read_some(byte, 1ms, ec), std::bad_alloc);
        }
        writer.write_all("x");
        CHECK(reader.read_some(byte) == 1);
    });
}

TEST_CASE("out of memory: fibers that get no stack share one exception, and later ones run") {
    coir::run(undetected, [] {
        rlimit before{};
        ::getrlimit(RLIMIT_DATA, &before);
        const rlimit little{1, before.rlim_max};
        std::vector<coir::fiber<void>> all;
        for (int i = 0; i < 1000; ++i) all.push_back(coir::spawn([] { coir::this_fiber::sleep_for(1ms); }));
        ::setrlimit(RLIMIT_DATA, &little);
        coir::this_fiber::yield();
        ::setrlimit(RLIMIT_DATA, &before);
        int refused = 0;
        for (auto& each : all) {
            try {
                each.get();
            } catch (const std::system_error& failure) {
                refused += failure.code() == std::errc::not_enough_memory ? 1 : 0;
            }
        }
        CHECK(refused > 500);
        coir::spawn([] {}).get();
    });
}

TEST_CASE("out of memory: a server closes a connection for which there is no memory, and serves the next one") {
    coir::run(undetected, [] {
        std::array<std::byte, 1> byte;
        std::error_code ec;
        auto listener = coir::net::tcp_listener::bind(coir::net::endpoint{"::", 0}, {}, ec);
        if (ec) return;  // no IPv6, in which the name of the fiber, [::ffff:127.0.0.1]:1234, needs memory
        auto server = coir::spawn([&] { listener.serve([](coir::net::tcp_stream peer) { peer.write_all("x"); }); });
        const coir::net::endpoint at{"127.0.0.1", listener.local_endpoint().port()};
        const auto connect = [&] { return coir::net::tcp_stream::connect(at); };
        CHECK(connect().read_exactly(byte, 10s, ec) == 1);
        auto refused = connect();
        {
            const no_memory now;
            coir::this_fiber::yield();  // to the hub, which wakes the server
            coir::this_fiber::yield();
        }
        CHECK(refused.read_exactly(byte, 10s, ec) == 0);
        CHECK(ec != std::errc::timed_out);
        CHECK(connect().read_exactly(byte, 10s, ec) == 1);
    });
}

TEST_CASE("out of memory: thousands of fibers may fail for want of memory") {
    coir::run(undetected, [] {
        std::vector<coir::fiber<void>> all;
        for (int i = 0; i < 5000; ++i) all.push_back(coir::spawn([] { throw std::bad_alloc{}; }));
        coir::this_fiber::yield();
        for (auto& each : all) CHECK_THROWS_AS(each.get(), std::bad_alloc);
    });
}

TEST_CASE("out of memory: the watchdog's thread goes on without reports") {
    coir::run({.blocking = {.stall_threshold = 5ms}}, [] {
        const no_memory now{no_memory::of::other_threads};
        for (int i = 0; i < 3; ++i) {
            std::this_thread::sleep_for(20ms);
            coir::this_fiber::sleep_for(20ms);
        }
    });
}
