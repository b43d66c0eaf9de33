#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <atomic>
#include <chrono>
#include <ctime>
#include <pthread.h>
#include <sched.h>
#include <thread>

namespace coir::test {

namespace {

using namespace std::chrono_literals;

// The watchdog samples every 25 ms; on a busy machine some samples are late.
constexpr auto long_time = 250ms;

/// Measured with the clock of the thread: with a rival it takes longer.
std::chrono::nanoseconds computed() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

unsigned collatz(unsigned long from) {
    unsigned steps = 0;
    for (; from > 1; ++steps) from = from % 2 == 0 ? from / 2 : 3 * from + 1;
    return steps;
}

}  // namespace

table computing() {
    return {
        hog("arithmetic",
            [] {
                std::atomic<unsigned> longest = 0;
                const auto end = computed() + long_time;
                for (unsigned long i = 1; i % 4096 != 0 || computed() < end; ++i)
                    longest = std::max(longest.load(), collatz(i));
            }),
        hog("spinning on an atomic variable",
            [](stage& on) {
                auto& go = on.keep<std::atomic<bool>>(false);
                on.later([&] {
                    std::this_thread::sleep_for(2 * long_time);
                    go = true;
                });
                return [&] {
                    while (!go) {
                    }
                };
            }),
        hog("pthread_spin_lock",
            [](stage& on) {
                auto& lock = on.keep<pthread_spinlock_t>();
                ::pthread_spin_init(&lock, 0);
                on.elsewhere([&] { ::pthread_spin_lock(&lock); },
                             [&] {
                                 std::this_thread::sleep_for(2 * long_time);
                                 ::pthread_spin_unlock(&lock);
                             });
                return [&] { ::pthread_spin_lock(&lock); };
            }),
        hog("waiting by sched_yield",
            [] {
                // Measured with the wall clock: with a rival it hardly computes.
                const auto end = std::chrono::steady_clock::now() + long_time;
                while (std::chrono::steady_clock::now() < end) ::sched_yield();
            }),
        hog("asking a non-blocking socket again and again",
            [](stage& on) {
                auto& ends = on.keep<two_ends>(sockets());
                return [&] {
                    const auto end = computed() + long_time;
                    char byte = 0;
                    while (computed() < end) ::recv(ends.ours.get(), &byte, 1, MSG_DONTWAIT);
                };
            }),
        hog("waiting by std::this_thread::yield for another thread",
            [](stage& on) {
                auto& go = on.keep<std::atomic<bool>>(false);
                on.later([&] { go = true; });
                return [&] {
                    while (!go) std::this_thread::yield();
                };
            }),
    };
}

}  // namespace coir::test
