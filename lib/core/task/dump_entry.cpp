#include "core/task/dump_entry.hpp"

#include "base/fnv1a.hpp"
#include "base/symbols.hpp"
#include "core/task/task_stack.hpp"
#include "core/task/waiter.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>

namespace coir::detail {

namespace {

/// Entries, joined where the keys are equal.
class joined_entries {
public:
    void add(dump_entry next, std::uint64_t key) {
        const auto [place, is_new] = places_.try_emplace(key, all_.size());
        if (is_new) {
            all_.push_back(std::move(next));
        } else {
            auto& fibers = all_[place->second].fibers;
            fibers.insert(fibers.end(), next.fibers.begin(), next.fibers.end());
        }
    }
    std::vector<dump_entry> take() noexcept { return std::move(all_); }

private:
    std::vector<dump_entry> all_;
    std::unordered_map<std::uint64_t, std::size_t> places_;
};

void mix(fnv1a& into, const void* pointer) noexcept { into.mix(reinterpret_cast<std::uintptr_t>(pointer)); }

/// What two fibers of one entry have in common besides their place in the program. No other fiber is like the running one.
fnv1a key_of_state(const task& fiber, bool runs) noexcept {
    fnv1a key;
    key.mix(std::uint64_t{runs});
    key.mix(static_cast<std::uint64_t>(fiber.state));
    key.mix(std::uint64_t{fiber.stop_requested} + 2 * std::uint64_t{fiber.shields});
    if (fiber.state == task_state::parked) {
        mix(key, fiber.waits->waits_for);
        mix(key, fiber.waits->held_by);
    }
    return key;
}

std::uint64_t key_by_address(const dump_entry& of, bool runs) noexcept {
    fnv1a key = key_of_state(of.first(), runs);
    mix(key, of.first().spawn_site);
    for (const void* const frame : of.stack.captured()) mix(key, frame);
    return key.value();
}

std::uint64_t key_by_line(const dump_entry& of, bool runs) noexcept {
    fnv1a key = key_of_state(of.first(), runs);
    key.mix(of.spawn_site);
    for (const std::string& each : of.functions) key.mix(each);
    return key.value();
}

/// Debug information is read once for all addresses.
void describe(std::vector<dump_entry>& all) {
    std::vector<const void*> addresses;
    for (const dump_entry& each : all) {
        if (each.first().spawn_site != nullptr) addresses.push_back(each.first().spawn_site);
        const auto frames = each.stack.captured();
        addresses.insert(addresses.end(), frames.begin(), frames.end());
    }
    look_up_symbols(addresses);
    for (dump_entry& each : all) {
        if (each.first().spawn_site != nullptr) each.spawn_site = describe_call_site(each.first().spawn_site);
        each.functions = describe_stack(each.stack);
    }
}

}  // namespace

std::vector<dump_entry> dump_entries(const list<task>& alive, const task& running, const dump_options& options) {
    if (!options.stacks) {
        std::vector<dump_entry> all;
        alive.for_each([&all](const task& each) { all.push_back({.fibers = {&each}}); });
        describe(all);
        return all;
    }
    joined_entries at_one_address;
    alive.for_each([&](const task& each) {
        const bool runs = &each == &running;
        dump_entry next{.fibers = {&each}, .stack = stack_of(each, runs)};
        const std::uint64_t key = key_by_address(next, runs);
        at_one_address.add(std::move(next), key);
    });
    std::vector<dump_entry> all = at_one_address.take();
    describe(all);
    // Compilers make several calls of one.
    joined_entries at_one_line;
    for (dump_entry& each : all) {
        const std::uint64_t key = key_by_line(each, &each.first() == &running);
        at_one_line.add(std::move(each), key);
    }
    return at_one_line.take();
}

}  // namespace coir::detail
