#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/net/endpoint.hpp>
#include <coir/net/tcp.hpp>
#include <coir/process/signal_set.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/cores.hpp>
#include <coir/thread/run_on_cores.hpp>
#include <coir/thread/spawn_on.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using coir::run_on_cores;
using namespace std::chrono_literals;

TEST_CASE("run_on_cores: runs a scheduler on each of n threads, in fibers with the numbers 0 to n - 1") {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::set<unsigned> cores;
    run_on_cores(3, [&](unsigned core) {
        coir::this_fiber::yield();
        CHECK(coir::this_fiber::name() == "core " + std::to_string(core));
        std::array<char, 16> name{};
        ::pthread_getname_np(::pthread_self(), name.data(), name.size());
        CHECK(std::string{name.data()} == "coir-core-" + std::to_string(core));
        const std::lock_guard lock{mutex};
        threads.insert(std::this_thread::get_id());
        cores.insert(core);
    });
    CHECK(threads.size() == 3);
    CHECK(cores == std::set<unsigned>{0, 1, 2});
    CHECK_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST_CASE("run_on_cores: 0 means as many as the process may use, each bound to its own processor") {
    cpu_set_t allowed;
    REQUIRE(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    const bool limited = coir::available_cores() < static_cast<unsigned>(CPU_COUNT(&allowed));
    std::mutex mutex;
    std::vector<int> bound_to;
    run_on_cores(0, [&](unsigned) {
        cpu_set_t own;
        REQUIRE(::sched_getaffinity(0, sizeof own, &own) == 0);
        const std::lock_guard lock{mutex};
        CHECK(CPU_COUNT(&own) == (limited ? CPU_COUNT(&allowed) : 1));
        for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
            if (CPU_ISSET(processor, &own)) bound_to.push_back(processor);
        }
    });
    if (limited) return;
    CHECK(bound_to.size() == coir::available_cores());
    CHECK(std::set<int>(bound_to.begin(), bound_to.end()).size() == bound_to.size());
}

TEST_CASE("run_on_cores: an exception of one main stops the others, and is thrown when all have ended") {
    std::atomic<int> stopped{0};
    CHECK_THROWS_WITH_AS(run_on_cores(3,
                                      [&](unsigned core) {
                                          if (core == 1) throw std::runtime_error{"core 1 has had enough"};
                                          try {
                                              coir::this_fiber::sleep_for(1h);
                                          } catch (const coir::cancelled&) {
                                              ++stopped;
                                              throw;
                                          }
                                      }),
                         "core 1 has had enough", std::runtime_error);
    CHECK(stopped == 2);
}

TEST_CASE("run_on_cores: a signal ends all schedulers cleanly") {
    std::atomic<int> ready{0};
    std::atomic<int> ended{0};
    run_on_cores(3, [&](unsigned) {
        coir::signal_set interrupt{SIGUSR1};
        if (++ready == 3) ::kill(::getpid(), SIGUSR1);
        CHECK(interrupt.wait() == SIGUSR1);
        ++ended;
    });
    CHECK(ended == 3);
}

TEST_CASE("run_on_cores: the cores can exchange values and fibers") {
    coir::concurrent_channel<coir::scheduler_ref> known{1};
    coir::concurrent_channel<int> over{1};
    std::thread::id there;
    std::thread::id ran_in;
    run_on_cores(2, [&](unsigned core) {
        if (core == 0) {
            there = std::this_thread::get_id();
            known.send(coir::this_scheduler());
            over.recv();
        } else {
            const coir::scheduler_ref zero = known.recv().value();
            coir::spawn_on(zero, [&] { ran_in = std::this_thread::get_id(); }).get();
            over.close();
        }
    });
    CHECK(ran_in == there);
}

TEST_CASE("run_on_cores: listeners on one port share its connections") {
    constexpr int connections = 100;
    coir::concurrent_channel<coir::net::endpoint> port_taken{1};
    coir::concurrent_channel<coir::net::endpoint> both_listen{1};
    std::array<std::atomic<int>, 2> served{};
    const auto serve_on = [&](unsigned core, coir::net::tcp_listener& listener) {
        auto server = coir::spawn([&] {
            listener.serve([&, core](coir::net::tcp_stream peer) {
                ++served[core];
                peer.write_all("x");
            });
        });
        while (!both_listen.is_closed()) coir::this_fiber::sleep_for(1ms);
        server.request_stop();
        server.join();
    };
    run_on_cores(3, [&](unsigned core) {
        if (core == 0) {
            auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0}, {.reuse_port = true});
            port_taken.send(listener.local_endpoint());
            serve_on(core, listener);
        } else if (core == 1) {
            const coir::net::endpoint at = port_taken.recv().value();
            auto listener = coir::net::tcp_listener::bind(at, {.reuse_port = true});
            both_listen.send(at);
            serve_on(core, listener);
        } else {
            const coir::net::endpoint at = both_listen.recv().value();
            for (int i = 0; i < connections; ++i) {
                auto stream = coir::net::tcp_stream::connect(at);
                std::array<std::byte, 1> byte;
                CHECK(stream.read_exactly(byte) == 1);
            }
            both_listen.close();
        }
    });
    CHECK(served[0] + served[1] == connections);
}

TEST_CASE("run_on_cores: throws a clear error within a fiber") {
    coir::test::in_scheduler([] { CHECK_THROWS_AS(run_on_cores(1, [](unsigned) {}), std::logic_error); });
}
