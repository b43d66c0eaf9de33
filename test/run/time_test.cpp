#include <coir/coir.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::deadline;

namespace {

/// A call that waits with a limit, and what ends that wait. A limit that has passed is a timed_out.
struct limited_wait {
    std::string name;
    std::function<void(deadline)> wait;
    std::function<void()> end;
};

void check_time(bool is_in_time) {
    if (!is_in_time) throw coir::timed_out{"try_..._until"};
}

std::vector<limited_wait> all_waits() {
    std::vector<limited_wait> all;
    const auto add = [&](const char* name, std::function<void(deadline)> wait, std::function<void()> end) {
        all.push_back({name, std::move(wait), std::move(end)});
    };
    const auto pipe = std::make_shared<std::pair<coir::io::reader, coir::io::writer>>(coir::io::pipe());
    add(
        "reader::read_some",
        [=](deadline until) {
            std::array<std::byte, 1> byte;
            static_cast<void>(pipe->first.read_some(byte, until));
        },
        [=] { pipe->second.write_all("x"); });
    const auto borrowed = std::make_shared<std::pair<coir::io::reader, coir::io::writer>>(coir::io::pipe());
    add(
        "io::wait_readable", [=](deadline until) { coir::io::wait_readable(borrowed->first.native_handle(), until); },
        [=] { borrowed->second.write_all("x"); });
    const auto listener = std::make_shared<coir::net::tcp_listener>(coir::net::tcp_listener::bind({"127.0.0.1", 0}));
    add(
        "tcp_listener::accept", [=](deadline until) { static_cast<void>(listener->accept(until)); },
        [=] { static_cast<void>(coir::net::tcp_stream::connect(listener->local_endpoint())); });
    const auto channel = std::make_shared<coir::channel<int>>();
    add(
        "channel::recv", [=](deadline until) { channel->recv(until); }, [=] { channel->send(1); });
    const auto mutex = std::make_shared<coir::timed_mutex>();
    add(
        "timed_mutex::try_lock_until",
        [=](deadline until) {
            mutex->lock();
            auto other = coir::spawn([&] {
                const bool is_locked = mutex->try_lock_until(until);
                if (is_locked) mutex->unlock();
                return is_locked;
            });
            if (until.has_passed()) other.join();
            coir::this_fiber::yield();
            mutex->unlock();
            check_time(other.get());
        },
        [] {});
    const auto semaphore = std::make_shared<coir::counting_semaphore<>>(0);
    add(
        "semaphore::try_acquire_until", [=](deadline until) { check_time(semaphore->try_acquire_until(until)); },
        [=] { semaphore->release(); });
    const auto event = std::make_shared<coir::event>();
    add(
        "event::wait", [=](deadline until) { event->wait(until); }, [=] { event->set(); });
    const auto scope = std::make_shared<coir::event>();
    add(
        "with_timeout", [=](deadline until) { coir::with_timeout(until, [=] { scope->wait(); }); },
        [=] { scope->set(); });
    const auto joined = std::make_shared<coir::event>();
    add(
        "fiber::wait_until",
        [=](deadline until) {
            auto fiber = coir::spawn([=] { joined->wait(); });
            const bool has_ended = fiber.wait_until(until) == std::future_status::ready;
            if (!has_ended) fiber.request_stop();
            check_time(has_ended);
        },
        [=] { joined->set(); });
    const auto promised = std::make_shared<coir::event>();
    add(
        "future::get on a thread",
        [=](deadline until) {
            coir::promise<int> promise;
            auto future = promise.get_future();
            auto thread = coir::spawn([&] { return coir::offload([&] { return future.wait_until(until); }); });
            if (until.has_passed()) return check_time(thread.get() == std::future_status::ready);
            promised->wait();
            promise.set_value(1);
            check_time(thread.get() == std::future_status::ready);
        },
        [=] { promised->set(); });
    const auto signals = std::make_shared<coir::signal_set>(std::initializer_list<int>{SIGUSR2});
    add(
        "signal_set::wait", [=](deadline until) { signals->wait(until); }, [] { ::kill(::getpid(), SIGUSR2); });
    add(
        "process::wait",
        [](deadline until) {
            auto child = coir::process::spawn({"sh", "-c", "read line"}, {.standard_input = coir::redirection::pipe()});
            if (!until.has_passed()) child.standard_input().close();
            static_cast<void>(child.wait(until));
        },
        [] {});
    return all;
}

/// The limits of 2^31 and 2^32 milliseconds are 24.9 and 49.7 days; 2^63 nanoseconds are 292 years.
std::vector<deadline> far_limits() {
    std::vector<deadline> made;
    for (const auto days : {24, 25, 49, 50, 365, 36'500, 106'000, 107'000, 1'000'000}) made.emplace_back(days * 24h);
    made.emplace_back(std::chrono::milliseconds::max());
    made.emplace_back(std::chrono::nanoseconds::max());
    made.emplace_back(std::chrono::hours::max());
    made.emplace_back(std::chrono::duration<double>::max());
    made.emplace_back(coir::clock::time_point::max());
    made.emplace_back(coir::clock::time_point::max() - 1ns);
    made.emplace_back(std::chrono::steady_clock::time_point::max() - 1s);
    return made;
}

std::vector<deadline> passed_limits() {
    return {-1h,
            std::chrono::hours::min(),
            std::chrono::nanoseconds::min(),
            coir::clock::time_point::min(),
            std::chrono::steady_clock::time_point::min(),
            std::chrono::steady_clock::time_point{}};
}

[[noreturn]] void fail(const std::string& name, const deadline& until, const char* what) {
    throw std::runtime_error{name + " until " + std::to_string(until.nanoseconds()) + ": " + what};
}

void check_far_limits() {
    in_scheduler([] {
        for (const deadline& until : far_limits()) {
            for (const limited_wait& each : all_waits()) {
                auto waiting = coir::spawn([&] { each.wait(until); });
                for (int i = 0; i < 10; ++i) coir::this_fiber::yield();
                each.end();
                try {
                    waiting.get();
                } catch (const coir::timed_out&) {
                    fail(each.name, until, "has timed out");
                }
            }
            auto sleeping = coir::spawn([&] { coir::this_fiber::sleep_until(until); });
            coir::this_fiber::sleep_for(1ms);
            if (sleeping.done()) fail("sleep_until", until, "has ended");
            sleeping.request_stop();
            sleeping.join();
        }
    });
}

void check_passed_limits() {
    in_scheduler([] {
        for (const deadline& until : passed_limits()) {
            for (const limited_wait& each : all_waits()) {
                bool is_late = false;
                try {
                    each.wait(until);
                } catch (const coir::timed_out&) {
                    is_late = true;
                }
                if (!is_late) fail(each.name, until, "has not timed out");
            }
            coir::this_fiber::sleep_until(until);
        }
    });
}

void check_short_sleeps() {
    in_scheduler([] {
        const auto began = coir::clock::now();
        coir::this_fiber::sleep_for(20ms);
        if (coir::clock::now() - began < 20ms) throw std::runtime_error{"a sleep has ended early"};
    });
}

/// Runs `body` in a process whose CLOCK_MONOTONIC is ahead by `seconds` (time_namespaces(7)). Returns false if the
/// system does not permit that.
bool in_time_namespace(long seconds, const std::function<void()>& body) {
    const ending how = in_child([&] {
#ifdef CLONE_NEWTIME
        const bool made = ::unshare(CLONE_NEWTIME) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWTIME) == 0;
        const int offsets = ::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
        const std::string line = "monotonic " + std::to_string(seconds) + " 0\n";
        if (!made || offsets < 0 || ::write(offsets, line.data(), line.size()) < 0) ::_exit(77);
        ::close(offsets);
        const ending inside = in_child(body);  // children are in the new namespace
        std::fputs(inside.output.c_str(), stderr);
        if (inside.died()) throw std::runtime_error{"the process in the namespace has failed"};
#else
        ::_exit(77);
#endif
    });
    if (how.exit_code == 77) return false;
    CHECK_MESSAGE(!how.died(), how.output);
    return true;
}

}  // namespace

TEST_CASE("time: no wait ends early because its limit is far away") { CHECK_NOTHROW(check_far_limits()); }

TEST_CASE("time: every wait with a limit in the past times out, however far in the past") {
    CHECK_NOTHROW(check_passed_limits());
}

TEST_CASE("time: sleeps of days, years and centuries end at their time, in virtual time") {
    in_scheduler(virtual_time, [] {
        for (const std::chrono::hours length : {24h * 24, 24h * 25, 24h * 49, 24h * 50, 24h * 366, 24h * 36'500}) {
            const auto began = coir::clock::now();
            coir::this_fiber::sleep_for(length);
            CHECK(coir::clock::now() - began == length);
            CHECK_THROWS_AS(coir::with_timeout(length, [] { coir::this_fiber::sleep_for(24h * 100'000); }),
                            coir::timed_out);
            CHECK(coir::clock::now() - began == 2 * length);
        }
    });
}

namespace {

/// A clock of a program: it stands still, an hour before the largest time.
struct own_clock {
    using duration = std::chrono::microseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<own_clock>;
    [[maybe_unused]] static constexpr bool is_steady = true;
    static time_point now() noexcept { return time_point::max() - 1h; }
};

}  // namespace

TEST_CASE("time: a limit may be a time of any clock, and locks of the standard library take it") {
    coir::test::in_scheduler(coir::test::virtual_time, [] {
        coir::mutex mutex;
        const std::unique_lock lock{mutex, std::chrono::system_clock::now() + 1s};
        CHECK(lock.owns_lock());
        const auto began = coir::clock::now();
        CHECK_FALSE(coir::spawn([&] { return mutex.try_lock_until(std::chrono::system_clock::now() + 1h); }).get());
        CHECK(coir::clock::now() - began > 59min);
        CHECK_FALSE(coir::spawn([&] { return mutex.try_lock_until(own_clock::now() + 1h); }).get());
        CHECK(coir::clock::now() - began > 119min);
        CHECK_FALSE(coir::spawn([&] { return mutex.try_lock_until(own_clock::time_point::min()); }).get());
        CHECK(coir::deadline{std::chrono::system_clock::time_point::min()}.has_passed());
        CHECK_FALSE(coir::deadline{std::chrono::file_clock::time_point::max()}.has_passed());
    });
}

TEST_CASE("time: timers end in their order up to the last nanosecond of the clock, in virtual time") {
    in_scheduler(virtual_time, [] {
        const auto last = coir::clock::time_point::max();
        std::vector<coir::clock::time_point> woken;
        coir::task_group sleepers;
        for (const auto before : {1ns, 2ns, std::chrono::nanoseconds{1s}, std::chrono::nanoseconds{24h * 36'500}}) {
            sleepers.spawn([&, before] {
                coir::this_fiber::sleep_until(last - before);
                CHECK(coir::clock::now() == last - before);
                woken.push_back(coir::clock::now());
            });
        }
        sleepers.wait();
        CHECK(woken.size() == 4);
        CHECK(std::is_sorted(woken.begin(), woken.end()));
    });
}

TEST_CASE("time: clocks that began 146 years ago, or just now, change nothing") {
    timespec uptime{};
    ::clock_gettime(CLOCK_MONOTONIC, &uptime);
    const long longest =
        std::numeric_limits<std::int64_t>::max() / 1'000'000'000 / 2 - uptime.tv_sec;  // time_namespaces(7)
    for (const long seconds : {longest, 24L * 3600 * 50, 1 - uptime.tv_sec}) {
        CAPTURE(seconds);
        const bool is_permitted = in_time_namespace(seconds, [] {
            check_short_sleeps();
            check_far_limits();
            check_passed_limits();
        });
        if (!is_permitted) MESSAGE("not checked: no permission for a time namespace");
    }
}
