#include "storm/island.hpp"
#include "support/children.hpp"
#include "support/limits.hpp"
#include "support/repeat_storm.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <fstream>
#include <iostream>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace coir::storm;
using namespace coir::test;

// COIR_STORM_SECONDS=600 makes a soak of ten minutes: memory and descriptors must not grow either.

namespace {

constexpr std::size_t schedulers = 3;
constexpr auto usual_time = 3s;

struct usage {
    std::size_t descriptors;
    std::size_t resident;  // KiB
};

usage measure() {
    std::size_t total = 0, resident = 0;
    std::ifstream{"/proc/self/statm"} >> total >> resident;
    return {open_descriptors(), resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024};
}

void storm(std::uint64_t seed) {
    world all{seed, schedulers, 1s};
    std::vector<std::jthread> threads;
    for (island& each : all.islands) threads.emplace_back([&each] { each.run(); });
    threads.clear();
    ledger& counts = all.counts;
    while (all.values.try_recv()) ++counts.values.out;
    CAPTURE(seed);
    CHECK(counts.violations == 0);
    for (const account* each :
         {&counts.bytes, &counts.values, &counts.goods, &counts.fibers, &counts.posts, &counts.work})
        CHECK(each->in.load() == each->out.load());
    CHECK_FALSE(has_children());
    std::cout << "storm: " << counts.operations << " operations, " << counts.bytes.in << " bytes, " << counts.values.in
              << " values, " << counts.fibers.in << " fibers, " << counts.posts.in << " posts, " << counts.work.in
              << " offloaded\n";
}

/// Waits for calls on files that were given up: they still have descriptors.
bool has_at_most(std::size_t descriptors) {
    for (int i = 0; i < 1000 && open_descriptors() > descriptors; ++i) std::this_thread::sleep_for(10ms);
    return open_descriptors() <= descriptors;
}

}  // namespace

TEST_CASE("storm: fibers that do everything at once lose nothing, and leave nothing behind") {
    const auto begin = std::chrono::steady_clock::now();
    const auto warm_up = storm_time(usual_time) / 4;
    usage warm{};
    repeat_storm(usual_time, [&](std::uint64_t seed) {
        storm(seed);
        if (warm.descriptors != 0) CHECK(has_at_most(warm.descriptors));
        if (warm.descriptors == 0 || std::chrono::steady_clock::now() - begin < warm_up) warm = measure();
    });
    const usage end = measure();
    std::cout << "storm: after a quarter of the time " << warm.resident << " KiB and " << warm.descriptors
              << " descriptors, at the end " << end.resident << " KiB and " << end.descriptors << std::endl;
    // The quarantine of AddressSanitizer and the shadow of ThreadSanitizer grow for minutes.
    if (!sanitized && storm_time(usual_time) >= 60s) CHECK(end.resident < warm.resident + warm.resident / 10 + 4096);
}
