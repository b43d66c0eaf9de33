// coir between threads: posts from one scheduler to another, and values through a channel that threads share. The
// baselines are in bare_threads.cpp.

#include <coir/clock.hpp>
#include <coir/run.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/scheduler_ref.hpp>

#include "contender.hpp"
#include "std_mutex.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

namespace {

/// Makes `args[0]` round trips to another scheduler, on `args[1]` cores (one or two). Both schedulers sleep in between.
void post(bench::arguments args) {
    bench::stay_on_this_core();
    coir::concurrent_channel<coir::scheduler_ref> known{1};
    coir::concurrent_channel<int> over{1};
    std::thread other{[&] {
        if (args[1] == 2) bench::move_to_another_core();
        coir::run([&] {
            known.send(coir::this_scheduler());
            over.recv();
        });
    }};
    coir::run([&] {
        const coir::scheduler_ref here = coir::this_scheduler();
        const coir::scheduler_ref there = known.recv().value();
        coir::event back;
        const auto round_trip = [&] {
            there.post([&] { here.post([&] { back.set(); }); });
            back.wait();
            back.reset();
        };
        for (long i = 0; i < args[0] / 10; ++i) round_trip();
        const auto start = bench::wall_clock::now();
        for (long i = 0; i < args[0]; ++i) round_trip();
        bench::report("us", bench::seconds_since(start) * 1e6 / static_cast<double>(args[0]));
        over.close();
    });
    other.join();
}

/// Sleeps for 1 ms `args[0]` times while another core posts without end, and reports by how much the later ones of a
/// hundred sleeps (p99) were late.
void flood(bench::arguments args) {
    bench::stay_on_this_core();
    coir::run([&] {
        const coir::scheduler_ref here = coir::this_scheduler();
        std::atomic<bool> over{false};
        std::atomic<long> left{0};
        std::thread poster{[&] {
            bench::move_to_another_core();
            while (!over) {
                ++left;
                here.post([&left] { --left; });
            }
        }};
        std::vector<double> late;
        for (long i = 0; i < args[0]; ++i) {
            const auto due = coir::clock::now() + std::chrono::milliseconds{1};
            coir::this_fiber::sleep_until(due);
            late.push_back(std::chrono::duration<double, std::milli>(coir::clock::now() - due).count());
        }
        over = true;
        poster.join();
        std::ranges::sort(late);
        bench::report("ms", late[late.size() * 99 / 100]);
        while (left > 0) coir::this_fiber::yield();
    });
}

/// Passes `args[0]` values through a channel of capacity `args[1]`, in one thread: fills it, then empties it.
void fill_and_empty(bench::arguments args) {
    coir::concurrent_channel<long> channel{static_cast<std::size_t>(args[1])};
    const double start = bench::cpu_seconds();
    for (long sent = 0; sent < args[0];) {
        while (channel.try_send(sent)) ++sent;
        while (channel.try_recv()) {
        }
    }
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
}

/// Passes `args[0]` values from core to core through a channel of capacity `args[1]`; both sides retry instead of
/// waiting.
void pass(bench::arguments args) {
    bench::stay_on_this_core();
    coir::concurrent_channel<long> channel{static_cast<std::size_t>(args[1])};
    std::thread sender{[&] {
        bench::move_to_another_core();
        for (long i = 0; i < args[0]; ++i) {
            while (!channel.try_send(i)) std::this_thread::yield();
        }
    }};
    const auto start = bench::wall_clock::now();
    for (long received = 0; received < args[0];) {
        if (channel.try_recv())
            ++received;
        else
            std::this_thread::yield();
    }
    bench::report("ns", bench::seconds_since(start) * 1e9 / static_cast<double>(args[0]));
    sender.join();
}

/// The same between fibers of two schedulers, which wait while the channel is full or empty.
void stream(bench::arguments args) {
    bench::stay_on_this_core();
    coir::concurrent_channel<long> channel{static_cast<std::size_t>(args[1])};
    std::thread sender{[&] {
        bench::move_to_another_core();
        coir::run([&] {
            for (long i = 0; i < args[0]; ++i) channel.send(i);
            channel.close();
        });
    }};
    coir::run([&] {
        const auto start = bench::wall_clock::now();
        for (long value : channel) static_cast<void>(value);
        bench::report("ns", bench::seconds_since(start) * 1e9 / static_cast<double>(args[0]));
    });
    sender.join();
}

void std_mutex_in_fiber(bench::arguments args) {
    bench::become_multithreaded();
    coir::run([&] { bench::lock_and_unlock(args); });
}

}  // namespace

int main(int argc, char** argv) {
    constexpr bench::scenario scenarios[] = {{"post", post},
                                             {"flood", flood},
                                             {"fill-and-empty", fill_and_empty},
                                             {"pass", pass},
                                             {"stream", stream},
                                             {"std-mutex", bench::std_mutex_pair},
                                             {"std-mutex-in-fiber", std_mutex_in_fiber}};
    return bench::run_scenario(argc, argv, scenarios);
}
