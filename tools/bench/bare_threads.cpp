// Baselines for communication between threads: eventfds, and D. Vyukov's bounded queue for multiple producers and
// consumers.

#include "contender.hpp"
#include "std_mutex.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace {

class bell {
public:
    ~bell() { close(fd_); }
    void ring() const {
        const std::uint64_t one = 1;
        if (write(fd_, &one, sizeof one) != sizeof one) std::abort();
    }
    void wait() const {
        std::uint64_t rings = 0;
        if (read(fd_, &rings, sizeof rings) != sizeof rings) std::abort();
    }

private:
    int fd_ = eventfd(0, EFD_CLOEXEC);
};

/// Makes `args[0]` round trips to another thread, on `args[1]` cores (one or two).
void ping_pong(bench::arguments args) {
    bench::stay_on_this_core();
    const long warm_up = args[0] / 10;
    bell there, back;
    std::thread other{[&] {
        if (args[1] == 2) bench::move_to_another_core();
        for (long i = 0; i < warm_up + args[0]; ++i) {
            there.wait();
            back.ring();
        }
    }};
    const auto round_trip = [&] {
        there.ring();
        back.wait();
    };
    for (long i = 0; i < warm_up; ++i) round_trip();
    const auto start = bench::wall_clock::now();
    for (long i = 0; i < args[0]; ++i) round_trip();
    bench::report("us", bench::seconds_since(start) * 1e6 / static_cast<double>(args[0]));
    other.join();
}

/// As published by its author: the number of cells is a power of two, and each cell stores the sequence number of the
/// operation that may use it next.
class bounded_queue {
public:
    explicit bounded_queue(std::size_t cells) : mask_{cells - 1}, cells_{std::make_unique<cell[]>(cells)} {
        for (std::size_t i = 0; i < cells; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
    }

    bool push(long value) {
        std::size_t at = tail_.load(std::memory_order_relaxed);
        for (;;) {
            cell& here = cells_[at & mask_];
            const auto lead = static_cast<std::ptrdiff_t>(here.turn.load(std::memory_order_acquire) - at);
            if (lead == 0 && tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
                here.value = value;
                here.turn.store(at + 1, std::memory_order_release);
                return true;
            }
            if (lead < 0) return false;
            if (lead > 0) at = tail_.load(std::memory_order_relaxed);
        }
    }

    bool pop(long& value) {
        std::size_t at = head_.load(std::memory_order_relaxed);
        for (;;) {
            cell& here = cells_[at & mask_];
            const auto lead = static_cast<std::ptrdiff_t>(here.turn.load(std::memory_order_acquire) - (at + 1));
            if (lead == 0 && head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
                value = here.value;
                here.turn.store(at + mask_ + 1, std::memory_order_release);
                return true;
            }
            if (lead < 0) return false;
            if (lead > 0) at = head_.load(std::memory_order_relaxed);
        }
    }

private:
    struct cell {
        std::atomic<std::size_t> turn;
        long value;
    };

    const std::size_t mask_;
    const std::unique_ptr<cell[]> cells_;
    alignas(64) std::atomic<std::size_t> tail_{0};
    alignas(64) std::atomic<std::size_t> head_{0};
};

void fill_and_empty(bench::arguments args) {
    bounded_queue queue{static_cast<std::size_t>(args[1])};
    const double start = bench::cpu_seconds();
    long value = 0;
    for (long sent = 0; sent < args[0];) {
        while (queue.push(sent)) ++sent;
        while (queue.pop(value)) {
        }
    }
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
}

void pass(bench::arguments args) {
    bench::stay_on_this_core();
    bounded_queue queue{static_cast<std::size_t>(args[1])};
    std::thread sender{[&] {
        bench::move_to_another_core();
        for (long i = 0; i < args[0]; ++i) {
            while (!queue.push(i)) std::this_thread::yield();
        }
    }};
    const auto start = bench::wall_clock::now();
    long value = 0;
    for (long received = 0; received < args[0];) {
        if (queue.pop(value))
            ++received;
        else
            std::this_thread::yield();
    }
    bench::report("ns", bench::seconds_since(start) * 1e9 / static_cast<double>(args[0]));
    sender.join();
}

}  // namespace

int main(int argc, char** argv) {
    constexpr bench::scenario scenarios[] = {{"ping-pong", ping_pong},
                                             {"fill-and-empty", fill_and_empty},
                                             {"pass", pass},
                                             {"std-mutex", bench::std_mutex_pair}};
    return bench::run_scenario(argc, argv, scenarios);
}
