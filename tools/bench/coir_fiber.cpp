// coir in the scenarios of fibers and timers; boost_fiber.cpp has the same for Boost.Fiber.

#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>

#include "contender.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace {

[[gnu::noinline]] void outer() {
    coir::this_fiber::yield();
    bench::keep_frame();
}

/// The first fiber measures the time. All fibers of the ring advance together, so timing one is enough.
void yield(bench::arguments args) {
    coir::run([&] {
        const long count = args[0];
        const long rounds = args[1] / count + 1;
        bool over = false;
        std::vector<coir::fiber<void>> ring;
        ring.push_back(coir::spawn([&] {
            bench::take_turns<outer>(rounds / 10 + 2, over);
            const double start = bench::cpu_seconds();
            bench::take_turns<outer>(rounds, over);
            bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(rounds * count));
            over = true;
        }));
        for (long i = 1; i < count; ++i)
            ring.push_back(coir::spawn([&] { bench::take_turns<outer>(bench::forever, over); }));
        for (auto& each : ring) each.join();
    });
}

void spawn(bench::arguments args) {
    coir::run([&] {
        long ran = 0;
        const double start = bench::cpu_seconds();
        for (long i = 0; i < args[0]; ++i) coir::spawn([&ran] { ++ran; }).join();
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(ran));
    });
}

/// Spawns `args[0]` fibers, then joins them; `args[1]` times, and one more round that is not counted.
void burst(bench::arguments args) {
    coir::run([&] {
        long ran = 0;
        double seconds = 0;
        std::vector<coir::fiber<void>> crowd;
        crowd.reserve(static_cast<std::size_t>(args[0]));
        for (long time = 0; time <= args[1]; ++time) {
            const double start = bench::cpu_seconds();
            for (long i = 0; i < args[0]; ++i) crowd.push_back(coir::spawn([&ran] { ++ran; }));
            for (auto& each : crowd) each.join();
            crowd.clear();
            if (time > 0) seconds += bench::cpu_seconds() - start;
        }
        bench::report("ns", seconds * 1e9 / static_cast<double>(args[0] * args[1]));
    });
}

coir::run_options with_stacks(long bytes) {
    coir::run_options options;
    options.stack_size = static_cast<std::size_t>(bytes);
    return options;
}

/// `args[0]` fibers on stacks of `args[1]` bytes sleep for 1 to 1,000 ms each. `beyond`: seconds in addition to the one
/// of the longest sleep; `early`: number of fibers that woke too early.
void sleepers(bench::arguments args) {
    coir::run(with_stacks(args[1]), [&] {
        const coir::allow_blocking permit{"a million spawned at a stroke"};
        std::vector<coir::fiber<void>> crowd;
        crowd.reserve(static_cast<std::size_t>(args[0]));
        bench::random_naps naps;
        long early = 0;
        const auto start = bench::wall_clock::now();
        for (long i = 0; i < args[0]; ++i)
            crowd.push_back(coir::spawn([&early, nap = naps.next()] {
                const auto until = bench::wall_clock::now() + nap;
                coir::this_fiber::sleep_until(until);
                early += bench::wall_clock::now() < until;
            }));
        for (auto& each : crowd) each.join();
        bench::report("beyond", bench::seconds_since(start) - 1);
        bench::report("early", static_cast<double>(early));
    });
}

/// `args[0]` fibers on stacks of `args[1]` bytes, all asleep at once; then stops and joins all of them.
void asleep(bench::arguments args) {
    coir::run(with_stacks(args[1]), [&] {
        const coir::allow_blocking permit{"a million spawned at a stroke"};
        std::vector<coir::fiber<void>> crowd;
        crowd.reserve(static_cast<std::size_t>(args[0]));
        const double start = bench::cpu_seconds();
        long begun = 0;
        for (long i = 0; i < args[0]; ++i)
            crowd.push_back(coir::spawn([&begun] {
                ++begun;
                coir::this_fiber::sleep_for(std::chrono::hours(1));
            }));
        while (begun < args[0]) coir::this_fiber::yield();
        bench::report("cpu", bench::cpu_seconds() - start);
        bench::report("bytes", bench::memory_bytes() / static_cast<double>(args[0]));
        bench::report("mappings", bench::count_mappings());
    });
}

/// `args[0]` concurrent sleeps of `args[1]` ms, and once more on the stacks that the first round left in the pool.
void naps(bench::arguments args) {
    coir::run([&] {
        const auto nap = std::chrono::milliseconds(args[1]);
        long early = 0;
        const auto round = [&] {
            const auto start = bench::wall_clock::now();
            std::vector<coir::fiber<void>> crowd;
            for (long i = 0; i < args[0]; ++i)
                crowd.push_back(coir::spawn([&] {
                    const auto until = bench::wall_clock::now() + nap;
                    coir::this_fiber::sleep_for(nap);
                    early += bench::wall_clock::now() < until;
                }));
            for (auto& each : crowd) each.join();
            return bench::seconds_since(start);
        };
        const double first = round();
        bench::report("first", first);
        bench::report("beyond", first - std::chrono::duration<double>(nap).count());
        bench::report("second", round());
        bench::report("early", static_cast<double>(early));
    });
}

/// `args[0]` fibers yield, `args[1]` times in total, between two calls of getppid() that mark the interval for strace.
void storm(bench::arguments args) {
    coir::run([&] {
        bool over = false;
        std::vector<coir::fiber<void>> crowd;
        for (long i = 1; i < args[0]; ++i)
            crowd.push_back(coir::spawn([&] { bench::take_turns<outer>(bench::forever, over); }));
        coir::this_fiber::yield();  // now all have started and have a stack
        getppid();
        bench::take_turns<outer>(args[1] / args[0], over);
        getppid();
        over = true;
        for (auto& each : crowd) each.join();
    });
}

/// A system call that coir does not make itself, and that cannot block.
void stray(bench::arguments args) {
    coir::run([&] {
        const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        const char byte = 0;
        const double start = bench::cpu_seconds();
        for (long i = 0; i < args[0]; ++i)
            if (write(nowhere, &byte, 1) != 1) std::exit(EXIT_FAILURE);
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
        close(nowhere);
    });
}

}  // namespace

int main(int argc, char** argv) {
    constexpr bench::scenario scenarios[] = {{"yield", yield},       {"spawn", spawn},   {"burst", burst},
                                             {"sleepers", sleepers}, {"asleep", asleep}, {"naps", naps},
                                             {"storm", storm},       {"stray", stray}};
    return bench::run_scenario(argc, argv, scenarios);
}
