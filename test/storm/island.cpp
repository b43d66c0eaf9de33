#include "storm/island.hpp"

#include "storm/operations.hpp"
#include "support/limits.hpp"

#include <cstdlib>
#include <exception>
#include <iostream>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace coir::storm {

namespace {

constexpr auto patience = test::sanitized ? 100s : 30s;

/// Shows what the fibers of this scheduler wait for, lets the others do the same, and ends the process.
[[noreturn]] void give_up(const island& here) {
    std::ostringstream text;
    text << "storm, seed " << here.seed << ": hangs. The fibers of one scheduler:\n";
    dump_fibers(text);
    std::cerr << text.str() + "\n" << std::flush;
    std::this_thread::sleep_for(3s);
    std::abort();
}

}  // namespace

world::world(std::uint64_t seed, std::size_t schedulers, std::chrono::milliseconds length)
    : missing{schedulers}, busy{schedulers}, end{std::chrono::steady_clock::now() + length} {
    for (std::size_t i = 0; i < schedulers; ++i) islands.emplace_back(*this, seed * 31 + i);
}

void island::run() {
    run_options options;
    if (seed % 2 == 0) options.seed = seed;
    options.on_unhandled_exception = [this](const std::exception_ptr& failure, std::string_view) {
        try {
            std::rethrow_exception(failure);
        } catch (const bad_luck&) {
        } catch (...) {
            expect(false, *this, "no fiber fails but by bad luck");
        }
    };
    coir::run(options, [this] { live(); });
}

void island::live() {
    scheduler = this_scheduler();
    for (--all.missing; all.missing > 0;) this_fiber::sleep_for(1ms);
    const auto watch = spawn([this] {
        this_fiber::sleep_for(patience);
        give_up(*this);
    });
    auto server =
        spawn([this] { listener.serve([this](net::tcp_stream client) { serve_client(*this, std::move(client)); }); });
    std::vector<fiber<void>> walkers;
    for (int i = 0; i < 8; ++i) walkers.push_back(begin_to_walk());
    while (std::chrono::steady_clock::now() < all.end) {
        this_fiber::sleep_for(std::chrono::microseconds{random.below(2000)});
        fiber<void>& one = walkers[random.below(walkers.size())];
        if (random.below(2) == 0) one.request_stop();
        one.join();
        one = begin_to_walk();
    }
    walkers.clear();  // stops and joins them
    settle();
    listener.drain();
    server.get();
}

fiber<void> island::begin_to_walk() {
    return spawn([this, life = counted{all.counts.fibers}] {
        for (std::size_t left = 1 + random.below(50); left > 0; --left) operate(*this);
    });
}

/// Waits until no fiber of any scheduler can send anything to this one, and takes what is left.
void island::settle() {
    --all.busy;
    while (all.busy > 0 || !all.counts.fibers.is_balanced()) this_fiber::sleep_for(1ms);
    while (values.try_recv()) ++all.counts.values.out;
    all.counts.goods.out += goods;
    int free_permits = 0;
    while (permits.try_acquire()) ++free_permits;
    expect(free_permits == permits_max, *this, "all permits are returned");
    expect(door.try_lock(), *this, "the mutex is unlocked");
    door.unlock();
}

}  // namespace coir::storm
