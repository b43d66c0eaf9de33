#include <coir/coir.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <signal.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::signal_set;

namespace {

enum class disposition { standard, ignored, handled };

disposition disposition_of(int signal) {
    struct sigaction now {};
    ::sigaction(signal, nullptr, &now);
    return now.sa_handler == SIG_DFL   ? disposition::standard
           : now.sa_handler == SIG_IGN ? disposition::ignored
                                       : disposition::handled;
}

}  // namespace

TEST_CASE("signal_set: a fiber waits for a signal and gets its number") {
    in_scheduler([] {
        signal_set signals{SIGUSR1, SIGUSR2};
        auto waiting = coir::spawn([&] { return signals.wait(); });
        coir::this_fiber::yield();
        CHECK_FALSE(waiting.done());
        ::kill(::getpid(), SIGUSR2);
        CHECK(waiting.get() == SIGUSR2);
    });
}

TEST_CASE(
    "signal_set: signals that arrive before the wait are kept, once each, and returned in the order of their numbers") {
    in_scheduler([] {
        signal_set signals{SIGUSR2, SIGUSR1};
        ::raise(SIGUSR2);
        ::raise(SIGUSR1);
        ::raise(SIGUSR1);
        CHECK(signals.wait() == SIGUSR1);
        CHECK(signals.wait() == SIGUSR2);
        CHECK_THROWS_AS(signals.wait(1ms), coir::timed_out);
    });
}

TEST_CASE("signal_set: a wait ends at its deadline or with a stop, and loses no signal") {
    in_scheduler([] {
        signal_set signals{SIGUSR1};
        CHECK_THROWS_AS(signals.wait(1ms), coir::timed_out);
        auto waiting = coir::spawn([&] { signals.wait(); });
        coir::this_fiber::yield();
        waiting.request_stop();
        ::raise(SIGUSR1);
        CHECK_THROWS_AS(waiting.get(), coir::fiber_stopped);
        CHECK(signals.wait() == SIGUSR1);
    });
}

TEST_CASE("signal_set: of several waiting fibers, each signal goes to the first one") {
    in_scheduler([] {
        signal_set signals{SIGUSR1, SIGUSR2};
        auto first = coir::spawn([&] { return signals.wait(); });
        auto second = coir::spawn([&] { return signals.wait(); });
        coir::this_fiber::yield();
        ::raise(SIGUSR2);
        CHECK(first.get() == SIGUSR2);
        CHECK_FALSE(second.done());
        ::raise(SIGUSR1);
        CHECK(second.get() == SIGUSR1);
    });
}

TEST_CASE("signal_set: several sets all get the signal") {
    in_scheduler([] {
        signal_set both{SIGUSR1, SIGUSR2};
        signal_set one{SIGUSR1};
        ::raise(SIGUSR1);
        CHECK(both.wait() == SIGUSR1);
        CHECK(one.wait() == SIGUSR1);
        ::raise(SIGUSR2);
        CHECK(both.wait() == SIGUSR2);
        CHECK_THROWS_AS(one.wait(1ms), coir::timed_out);
    });
}

TEST_CASE("signal_set: the last set of a signal restores the original disposition") {
    ::signal(SIGUSR1, SIG_IGN);
    std::optional<signal_set> first{std::in_place, std::initializer_list<int>{SIGUSR1}};
    std::optional<signal_set> second{std::in_place, std::initializer_list<int>{SIGUSR1, SIGUSR1}};
    CHECK(disposition_of(SIGUSR1) == disposition::handled);
    first.reset();
    CHECK(disposition_of(SIGUSR1) == disposition::handled);
    second.reset();
    CHECK(disposition_of(SIGUSR1) == disposition::ignored);
    ::signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("signal_set: a handler that the program installed meanwhile is not replaced") {
    {
        const signal_set signals{SIGUSR1};
        ::signal(SIGUSR1, SIG_IGN);
    }
    CHECK(disposition_of(SIGUSR1) == disposition::ignored);
    ::signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("signal_set: a signal that cannot be handled is refused, and the dispositions of the others do not change") {
    const auto before = disposition_of(SIGUSR1);
    for (const int signal : {SIGKILL, SIGSTOP, SIGSEGV, 0, -1, 65, 32}) {
        CAPTURE(signal);
        try {
            const signal_set signals{SIGUSR1, signal};
            FAIL("accepted");
        } catch (const std::system_error& refused) {
            CHECK(refused.code() == std::errc::invalid_argument);
            CHECK(std::string{refused.what()}.find("signal " + std::to_string(signal)) != std::string::npos);
        }
        CHECK(disposition_of(SIGUSR1) == before);
    }
}

TEST_CASE("signal_set: waiting for a signal is not a deadlock, and a set without a waiter does not hide one") {
    const signal_set known_from_now{SIGUSR1};
    std::thread later{[waiting = ::pthread_self()] {
        std::this_thread::sleep_for(20ms);
        ::pthread_kill(waiting, SIGUSR1);
    }};
    in_scheduler([] {
        signal_set signals{SIGUSR1};
        CHECK(signals.wait() == SIGUSR1);
    });
    later.join();
    CHECK_THROWS_AS(in_scheduler([] {
                        signal_set signals{SIGUSR1};
                        coir::event never_set;
                        never_set.wait();
                    }),
                    coir::deadlock);
}

TEST_CASE("signal_set: may be constructed before run, and outlive it") {
    signal_set signals{SIGUSR1};
    ::raise(SIGUSR1);
    in_scheduler([&] { CHECK(signals.wait() == SIGUSR1); });
    ::raise(SIGUSR1);
    in_scheduler([&] { CHECK(signals.wait() == SIGUSR1); });
    CHECK_THROWS_AS(signals.wait(), coir::not_in_fiber);
}

TEST_CASE("signal_set: the sets of schedulers in several threads all get the signal, whichever thread receives it") {
    constexpr int threads = 3;
    std::atomic<int> waiting{0};
    std::atomic<int> told{0};
    std::vector<std::thread> schedulers;
    for (int i = 0; i < threads; ++i) {
        schedulers.emplace_back([&] {
            in_scheduler([&] {
                signal_set signals{SIGUSR1};
                ++waiting;
                if (signals.wait() == SIGUSR1) ++told;
            });
        });
    }
    while (waiting < threads) std::this_thread::yield();
    // This thread also holds a set, so that the last set to end does not restore the disposition too early.
    const signal_set here{SIGUSR1};
    ::kill(::getpid(), SIGUSR1);
    for (auto& each : schedulers) each.join();
    CHECK(told == threads);
}

TEST_CASE("signal_set: sets may be created and destroyed while signals arrive") {
    const signal_set always{SIGUSR1};
    std::atomic<bool> over{false};
    std::thread sender{[&] {
        for (; !over; std::this_thread::sleep_for(20us)) ::kill(::getpid(), SIGUSR1);  // and lets the others run
    }};
    for (int i = 0; i < 200; ++i) {
        in_scheduler([] {
            signal_set signals{SIGUSR1};
            auto late = coir::spawn([&] { CHECK_NOTHROW(signals.wait(1h)); });
            CHECK(signals.wait() == SIGUSR1);
            late.join();
        });
    }
    over = true;
    sender.join();
}

TEST_CASE("signal_set: a set of another scheduler is refused") {
    in_scheduler([] {
        signal_set signals{SIGUSR1};
        CHECK_THROWS_AS(signals.wait(1ms), coir::timed_out);
        coir::offload([&] { in_scheduler([&] { CHECK_THROWS_AS(signals.wait(1ms), coir::wrong_scheduler); }); });
    });
}
