// The file name sorts first: these tests fork, which is safe only while this process has no other threads.
#include <coir/coir.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <signal.h>
#include <unistd.h>

using namespace coir::test;
using coir::signal_set;

TEST_CASE("signal_set: destroying it while a fiber waits aborts with a message") {
    const auto child = in_child([] {
        in_scheduler([] {
            std::optional<signal_set> signals{std::in_place, std::initializer_list<int>{SIGUSR1}};
            auto waiting = coir::spawn([&] { signals->wait(); });
            coir::this_fiber::yield();
            signals.reset();
        });
    });
    CHECK(child.died());
    CHECK(child.says("destroyed while a fiber waits on it"));
}

TEST_CASE("signal_set: Ctrl-C shuts down a server cleanly") {
    const auto child = in_child([] {
        coir::run([] {
            signal_set interrupt{SIGINT, SIGTERM};
            auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
            auto server = coir::spawn([&] { listener.serve([](coir::net::tcp_stream) {}); });
            coir::this_fiber::yield();
            ::kill(::getpid(), SIGINT);
            interrupt.wait();
        });
    });
    CHECK_FALSE(child.died());
}
