#pragma once

#include <coir/coir.hpp>

#include "base/random.hpp"
#include "storm/ledger.hpp"
#include "support/temporary_folder.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>

namespace coir::storm {

using namespace std::chrono_literals;

struct island;

/// What all schedulers of a storm share.
struct world {
    world(std::uint64_t seed, std::size_t schedulers, std::chrono::milliseconds length);

    island& any(detail::random_numbers& random) { return islands[random.below(islands.size())]; }

    ledger counts;
    const test::temporary_folder folder;
    std::atomic<std::size_t> files{0};  // made so far
    concurrent_channel<int> values{4};
    std::deque<island> islands;
    std::atomic<std::size_t> missing;  // schedulers that have not begun
    std::atomic<std::size_t> busy;     // schedulers that may still use the others
    const std::chrono::steady_clock::time_point end;
};

/// One scheduler, and the objects that its fibers use.
struct island {
    island(world& all, std::uint64_t seed) : all{all}, seed{seed}, random{seed} {}

    /// Runs the scheduler on the calling thread, until the storm is over.
    void run();

    world& all;
    const std::uint64_t seed;
    scheduler_ref scheduler;        // set before any fiber of the storm begins
    detail::random_numbers random;  // for the fibers of this scheduler
    net::tcp_listener listener = net::tcp_listener::bind({"127.0.0.1", 0});
    const net::endpoint address = listener.local_endpoint();

    mutex door;
    bool is_occupied = false;  // by the fiber that holds the mutex
    condition_variable delivery;
    std::size_t goods = 0;
    static constexpr int permits_max = 3;
    counting_semaphore<> permits{permits_max};
    int permits_taken = 0;
    channel<int> values{2};

private:
    void live();
    [[nodiscard]] fiber<void> begin_to_walk();
    void settle();
};

/// A failure that the storm makes by itself.
struct bad_luck : std::runtime_error {
    using runtime_error::runtime_error;
};

/// One random operation, and those nested in it. Each takes some milliseconds at most. Throws nothing but `cancelled`
/// and `scope_expired`, at any suspension.
void operate(island& here, int depth = 0);

void expect(bool claim, island& here, const char* text);

}  // namespace coir::storm
