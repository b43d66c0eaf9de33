// Boost.Fiber in the scenarios of coir_fiber.cpp and coir_sync.cpp, with the same lines where the two APIs allow it.

#include "contender.hpp"

#include <boost/fiber/all.hpp>

#include <memory>
#include <unistd.h>

namespace {

namespace fibers = boost::fibers;
namespace this_fiber = boost::this_fiber;

[[gnu::noinline]] void outer() {
    this_fiber::yield();
    bench::keep_frame();
}

/// The first fiber measures the time. All fibers of the ring advance together, so timing one is enough.
void yield(bench::arguments args) {
    const long count = args[0];
    const long rounds = args[1] / count + 1;
    bool over = false;
    std::vector<fibers::fiber> ring;
    ring.emplace_back([&] {
        bench::take_turns<outer>(rounds / 10 + 2, over);
        const double start = bench::cpu_seconds();
        bench::take_turns<outer>(rounds, over);
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(rounds * count));
        over = true;
    });
    for (long i = 1; i < count; ++i) ring.emplace_back([&] { bench::take_turns<outer>(bench::forever, over); });
    for (auto& each : ring) each.join();
}

void spawn(bench::arguments args) {
    long ran = 0;
    fibers::pooled_fixedsize_stack stacks;  // the quickest of Boost's allocators here
    const double start = bench::cpu_seconds();
    for (long i = 0; i < args[0]; ++i) fibers::fiber{std::allocator_arg, stacks, [&ran] { ++ran; }}.join();
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(ran));
}

/// Spawns `args[0]` fibers, then joins them; `args[1]` times, and one more round that is not counted.
void burst(bench::arguments args) {
    long ran = 0;
    double seconds = 0;
    std::vector<fibers::fiber> crowd;
    crowd.reserve(static_cast<std::size_t>(args[0]));
    fibers::pooled_fixedsize_stack stacks;  // the quickest of Boost's allocators here
    for (long time = 0; time <= args[1]; ++time) {
        const double start = bench::cpu_seconds();
        for (long i = 0; i < args[0]; ++i) crowd.emplace_back(std::allocator_arg, stacks, [&ran] { ++ran; });
        for (auto& each : crowd) each.join();
        crowd.clear();
        if (time > 0) seconds += bench::cpu_seconds() - start;
    }
    bench::report("ns", seconds * 1e9 / static_cast<double>(args[0] * args[1]));
}

void rendezvous(bench::arguments args) {
    fibers::unbuffered_channel<long> there, back;
    fibers::fiber echo{[&] {
        for (long value; there.pop(value) == fibers::channel_op_status::success;) back.push(value);
    }};
    const double start = bench::cpu_seconds();
    for (long i = 0, value; i < args[0]; ++i) {
        there.push(i);
        back.pop(value);
    }
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
    there.close();
    echo.join();
}

void buffered(bench::arguments args) {
    fibers::buffered_channel<long> queue{static_cast<std::size_t>(args[1])};
    const double start = bench::cpu_seconds();
    fibers::fiber producer{[&] {
        for (long i = 0; i < args[0]; ++i) queue.push(i);
        queue.close();
    }};
    long items = 0;
    for (long value; queue.pop(value) == fibers::channel_op_status::success;) ++items;
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(items));
    producer.join();
}

void mutex_pair(bench::arguments args) {
    fibers::mutex mutex;
    const double start = bench::cpu_seconds();
    for (long i = 0; i < args[0]; ++i) {
        mutex.lock();
        bench::keep_frame();
        mutex.unlock();
    }
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
}

/// Two fibers that contend for a mutex: each always finds it held. The yield after the unlock lets the other fiber run
/// if the mutex is not handed over directly.
void mutex_handover(bench::arguments args) {
    fibers::mutex mutex;
    long changes = 0;
    int owner = 0;
    const auto contend = [&](int self) {
        for (long i = 0; i < args[0]; ++i) {
            mutex.lock();
            changes += owner != self;
            owner = self;
            this_fiber::yield();
            mutex.unlock();
            this_fiber::yield();
        }
    };
    const double start = bench::cpu_seconds();
    fibers::fiber first{contend, 1}, second{contend, 2};
    first.join();
    second.join();
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(changes));
}

/// `args[0]` fibers on stacks of `args[1]` bytes sleep for 1 to 1,000 ms each. `beyond`: seconds in addition to the one
/// of the longest sleep; `early`: number of fibers that woke too early.
void sleepers(bench::arguments args) {
    fibers::fixedsize_stack stacks{static_cast<std::size_t>(args[1])};
    std::vector<fibers::fiber> crowd;
    crowd.reserve(static_cast<std::size_t>(args[0]));
    bench::random_naps naps;
    long early = 0;
    const auto start = bench::wall_clock::now();
    for (long i = 0; i < args[0]; ++i)
        crowd.emplace_back(std::allocator_arg, stacks, [&early, nap = naps.next()] {
            const auto until = bench::wall_clock::now() + nap;
            this_fiber::sleep_until(until);
            early += bench::wall_clock::now() < until;
        });
    for (auto& each : crowd) each.join();
    bench::report("beyond", bench::seconds_since(start) - 1);
    bench::report("early", static_cast<double>(early));
}

/// `args[0]` fibers on stacks of `args[1]` bytes, all asleep at once.
void asleep(bench::arguments args) {
    fibers::fixedsize_stack stacks{static_cast<std::size_t>(args[1])};
    std::vector<fibers::fiber> crowd;
    crowd.reserve(static_cast<std::size_t>(args[0]));
    const double start = bench::cpu_seconds();
    long begun = 0;
    for (long i = 0; i < args[0]; ++i)
        crowd.emplace_back(std::allocator_arg, stacks, [&begun] {
            ++begun;
            this_fiber::sleep_for(std::chrono::hours(1));
        });
    while (begun < args[0]) this_fiber::yield();
    bench::report("cpu", bench::cpu_seconds() - start);
    bench::report("bytes", bench::memory_bytes() / static_cast<double>(args[0]));
    bench::report("mappings", bench::count_mappings());
    _exit(EXIT_SUCCESS);  // fibers of Boost cannot be cancelled
}

}  // namespace

int main(int argc, char** argv) {
    constexpr bench::scenario scenarios[] = {{"yield", yield},
                                             {"spawn", spawn},
                                             {"burst", burst},
                                             {"rendezvous", rendezvous},
                                             {"buffered", buffered},
                                             {"mutex-pair", mutex_pair},
                                             {"mutex-handover", mutex_handover},
                                             {"sleepers", sleepers},
                                             {"asleep", asleep}};
    return bench::run_scenario(argc, argv, scenarios);
}
