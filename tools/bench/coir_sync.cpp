// coir in the scenarios of channels and mutexes (boost_fiber.cpp has the same for Boost.Fiber), and of offload
// (bare.cpp has the same with threads).

#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>

#include "contender.hpp"

namespace {

void rendezvous(bench::arguments args) {
    coir::run([&] {
        coir::channel<long> there{0}, back{0};
        auto echo = coir::spawn([&] {
            while (auto value = there.recv()) back.send(*value);
        });
        const double start = bench::cpu_seconds();
        for (long i = 0; i < args[0]; ++i) {
            there.send(i);
            back.recv();
        }
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
        there.close();
        echo.join();
    });
}

void buffered(bench::arguments args) {
    coir::run([&] {
        coir::channel<long> queue{static_cast<std::size_t>(args[1])};
        const double start = bench::cpu_seconds();
        auto producer = coir::spawn([&] {
            for (long i = 0; i < args[0]; ++i) queue.send(i);
            queue.close();
        });
        long items = 0;
        while (queue.recv()) ++items;
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(items));
        producer.join();
    });
}

void mutex_pair(bench::arguments args) {
    coir::run([&] {
        const coir::allow_blocking permit{"the loop is what is measured"};
        coir::mutex mutex;
        const double start = bench::cpu_seconds();
        for (long i = 0; i < args[0]; ++i) {
            mutex.lock();
            bench::keep_frame();
            mutex.unlock();
        }
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
    });
}

/// Two fibers that contend for a mutex: each always finds it held. The yield after the unlock lets the other fiber run
/// if the mutex is not handed over directly.
void mutex_handover(bench::arguments args) {
    coir::run([&] {
        coir::mutex mutex;
        long changes = 0;
        int owner = 0;
        const auto contend = [&](int self) {
            for (long i = 0; i < args[0]; ++i) {
                mutex.lock();
                changes += owner != self;
                owner = self;
                coir::this_fiber::yield();
                mutex.unlock();
                coir::this_fiber::yield();
            }
        };
        const double start = bench::cpu_seconds();
        auto first = coir::spawn(contend, 1);
        auto second = coir::spawn(contend, 2);
        first.join();
        second.join();
        bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(changes));
    });
}

/// Makes `args[0]` round trips to a thread of the pool, on `args[1]` cores (one or two).
void offload(bench::arguments args) {
    bench::stay_on_this_core();
    coir::run([&] {
        coir::offload([&] {
            if (args[1] == 2) bench::move_to_another_core();
        });
        for (long i = 0; i < args[0] / 10; ++i) coir::offload([] {});
        const auto start = bench::wall_clock::now();
        for (long i = 0; i < args[0]; ++i) coir::offload([] {});
        bench::report("us", bench::seconds_since(start) * 1e6 / static_cast<double>(args[0]));
    });
}

}  // namespace

int main(int argc, char** argv) {
    constexpr bench::scenario scenarios[] = {{"rendezvous", rendezvous},
                                             {"buffered", buffered},
                                             {"mutex-pair", mutex_pair},
                                             {"mutex-handover", mutex_handover},
                                             {"offload", offload}};
    return bench::run_scenario(argc, argv, scenarios);
}
