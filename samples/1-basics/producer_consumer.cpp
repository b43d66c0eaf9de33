// Fibers that pass values to each other through channels.
//
//     asyncio                          coir
//     q = asyncio.Queue(maxsize=2)     coir::channel<T> q{2}
//     await q.put(x)                   q.send(x): waits while the channel is full
//     await q.get()                    q.recv(): std::optional<T>, empty once closed and drained
//     while True: x = await q.get()    for (T& x : q)
//     a None in the queue, as the end  q.close()
//     asyncio.TaskGroup()              coir::task_group
//
// Only fibers of one thread use such a channel, so it needs no lock. A capacity of 0 is a rendezvous: send() returns
// when a receiver has taken the value. (For a queue of asyncio, maxsize 0 means unlimited.)

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

using namespace std::chrono_literals;

// The producer could make thousands of values per millisecond; the channel slows it down to the consumer's pace.
void show_back_pressure() {
    std::printf("a fast producer, a channel for 2 values, a consumer that takes 10 ms for each:\n");
    coir::channel<int> numbers{2};
    auto producer = coir::spawn([&] {
        for (int i = 1; i <= 6; ++i) {
            numbers.send(i);
            std::printf("  sent %d  (%zu in the channel)\n", i, numbers.size());
        }
        numbers.close();
    });
    for (const int number : numbers) {  // until the channel is closed and empty
        std::printf("        received %d\n", number);
        coir::this_fiber::sleep_for(10ms);
    }
    producer.get();
}

// Many to many: each job goes to a free worker, in the order in which the workers became free.
void show_workers() {
    constexpr int jobs_each = 1000;
    coir::channel<int> jobs{16};
    coir::channel<long> results;  // capacity 0
    std::vector<int> done(4);

    coir::task_group workers;
    for (std::size_t me = 0; me < done.size(); ++me) {
        workers.spawn({.name = "worker " + std::to_string(me)}, [&, me] {
            for (const int job : jobs) {
                if (job % 100 == 0) coir::this_fiber::sleep_for(1ms);  // a slow job
                results.send(2L * job);
                ++done[me];
            }
        });
    }
    coir::task_group producers;
    for (int first = 1; first <= 3; ++first) {
        producers.spawn([&jobs, first] {
            for (int i = 0; i < jobs_each; ++i) jobs.send(first + 3 * i);
        });
    }
    // The fiber that knows that the last value was sent closes the channel. The next stage then drains it and ends.
    auto closer = coir::spawn([&] {
        producers.wait();
        jobs.close();
        workers.wait();
        results.close();
    });

    long sum = 0;
    for (const long result : results) sum += result;
    closer.get();

    const long n = 3L * jobs_each;
    std::printf("3 producers, %zu workers, %d jobs done\n", done.size(), std::accumulate(done.begin(), done.end(), 0));
    for (std::size_t me = 0; me < done.size(); ++me) std::printf("  worker %zu did %d\n", me, done[me]);
    std::printf("  the results add up to %ld, and should to %ld\n", sum, n * (n + 1));
}

int main() {
    coir::run([] {
        show_back_pressure();
        show_workers();
    });
}
