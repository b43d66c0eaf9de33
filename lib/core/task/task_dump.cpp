#include "core/task/task_dump.hpp"

#include "base/descriptor_peer.hpp"
#include "base/fnv1a.hpp"
#include "base/printable.hpp"
#include "base/symbols.hpp"
#include "core/task/join_waiter.hpp"
#include "core/task/task_stack.hpp"
#include "core/task/wait_graph.hpp"
#include "core/task/waiter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace coir::detail {

namespace {

/// Fibers that stand at the same place and wait for the same thing: one entry of a dump.
struct entry {
    std::vector<const task*> fibers;
    call_stack stack;

    [[nodiscard]] const task& first() const noexcept { return *fibers.front(); }
};

/// Whether the fiber waits for the end of another fiber, not for something that another fiber holds.
bool waits_for_end(const task& fiber) noexcept { return fiber.waits->waits_for == join_waiter::end_of_a_fiber; }

bool is_parked(const task& fiber) noexcept { return fiber.state == task_state::parked; }

/// Requires `wait_graph::waits_for_one(fiber)`.
void dump_held(std::ostream& out, const task& fiber, const wait_graph& graph) {
    const task* const holder = graph.holder(fiber);
    const std::string name = holder == nullptr ? "a fiber that has ended" : describe_fiber(*holder);
    if (waits_for_end(fiber))
        out << " (" << name << ')';
    else  // `held_by` is the address of the held object's first member
        out << ' ' << static_cast<const void*>(fiber.waits->held_by) << " (held by " << name << ')';
}

void dump_descriptor(std::ostream& out, int descriptor) {
    out << ' ' << descriptor;
    if (const std::string peer = describe_peer(descriptor); !peer.empty()) out << " (" << peer << ')';
}

/// How long the first of the fibers has waited; nothing if that is less than a second.
void dump_time(std::ostream& out, const entry& of, std::int64_t now) {
    std::int64_t since = now;
    for (const task* each : of.fibers) since = std::min(since, each->waits->since);
    constexpr std::int64_t tenth = 100'000'000;  // of a second
    const std::int64_t tenths = (now - since) / tenth;
    if (tenths < 10) return;
    out << (of.fibers.size() > 1 ? " for up to " : " for ") << tenths / 10 << '.' << tenths % 10 << " s";
}

void dump_state(std::ostream& out, const entry& of, const dump_moment& moment, const wait_graph& graph) {
    const task& fiber = of.first();
    if (&fiber == &moment.running) {
        out << "running";
        return;
    }
    switch (fiber.state) {
    case task_state::unstarted: out << "spawned"; return;
    case task_state::ready: out << "ready"; return;
    case task_state::ended: out << "finished"; return;
    case task_state::parked: break;
    }
    out << "parked on " << fiber.waits->waits_for;
    if (fiber.waits->descriptor >= 0 && of.fibers.size() == 1) dump_descriptor(out, fiber.waits->descriptor);
    if (wait_graph::waits_for_one(fiber)) dump_held(out, fiber, graph);
    dump_time(out, of, moment.now);
}

void dump_names(std::ostream& out, const std::vector<const task*>& fibers) {
    constexpr std::size_t names_max = 3;
    out << (fibers.size() == 1 ? "  fiber " : "  fibers ");
    for (std::size_t i = 0; i < std::min(fibers.size(), names_max); ++i)
        out << (i > 0 ? ", " : "") << describe_fiber(*fibers[i]);
    if (fibers.size() > names_max) out << " and " << fibers.size() - names_max << " more";
    out << ": ";
}

void dump_spawn_site(std::ostream& out, const task& fiber) {
    if (fiber.spawn_site == nullptr) return;
    out << ", spawned at " << describe_call_site(fiber.spawn_site);
    if (fiber.parent != 0) out << " by #" << fiber.parent;
}

void dump_stack(std::ostream& out, const entry& of, const dump_moment& moment) {
    const task& fiber = of.first();
    if (of.stack.depth == 0) return;
    if (&fiber != &moment.running && of.fibers.size() == 1 && fiber.stack_pooled) {
        const std::size_t kib = fiber.stack_kib != 0 ? fiber.stack_kib : moment.default_stack >> 10;
        out << ", stack " << (stack_bytes_used(fiber) + 1023) / 1024 << " of " << kib << " KiB";
    }
    for (const std::string& line : describe_stack(of.stack)) out << "\n      " << line;
}

void dump_entry(std::ostream& out, const entry& of, const dump_moment& moment, const wait_graph& graph) {
    const task& fiber = of.first();
    dump_names(out, of.fibers);
    dump_state(out, of, moment, graph);
    if (fiber.stop_requested) out << ", stop requested";
    if (fiber.shields > 0) out << ", shielded";
    dump_spawn_site(out, fiber);
    dump_stack(out, of, moment);
    out << '\n';
}

std::span<const void* const> frames_of(const call_stack& stack) noexcept {
    return std::span{stack.frames}.first(static_cast<std::size_t>(stack.depth));
}

void mix(fnv1a& into, const void* pointer) noexcept { into.mix(reinterpret_cast<std::uintptr_t>(pointer)); }

/// Mixes what two fibers of one entry have in common besides their place in the program.
void mix_state(fnv1a& into, const task& fiber) noexcept {
    into.mix(static_cast<std::uint64_t>(fiber.state));
    into.mix(std::uint64_t{fiber.stop_requested} + 2 * std::uint64_t{fiber.shields});
    if (!is_parked(fiber)) return;
    mix(into, fiber.waits->waits_for);
    mix(into, fiber.waits->held_by);
}

/// Each fiber by itself, or, with stacks, those that have the same one together.
std::vector<entry> entries_of(const list<task>& alive, const dump_moment& moment, const dump_options& options) {
    std::vector<entry> all;
    std::unordered_map<std::uint64_t, std::size_t> places;
    alive.for_each([&](const task& each) {
        const bool runs = &each == &moment.running;
        const call_stack stack = options.stacks ? stack_of(each, runs) : call_stack{};
        if (options.stacks && !runs) {
            fnv1a key;
            mix_state(key, each);
            mix(key, each.spawn_site);
            for (const void* const frame : frames_of(stack)) mix(key, frame);
            const auto [place, is_new] = places.try_emplace(key.value(), all.size());
            if (!is_new) {
                all[place->second].fibers.push_back(&each);
                return;
            }
        }
        all.push_back({{&each}, stack});
    });
    return all;
}

/// Compilers make several calls of one: joins entries whose lines are the same.
std::vector<entry> join_by_line(std::vector<entry> all, const dump_moment& moment) {
    std::vector<entry> joined;
    std::unordered_map<std::uint64_t, std::size_t> places;
    for (entry& each : all) {
        fnv1a key;
        mix_state(key, each.first());
        key.mix(std::uint64_t{&each.first() == &moment.running});
        if (each.first().spawn_site != nullptr) key.mix(describe_call_site(each.first().spawn_site));
        for (const std::string& line : describe_stack(each.stack)) key.mix(line);
        const auto [place, is_new] = places.try_emplace(key.value(), joined.size());
        if (is_new) {
            joined.push_back(std::move(each));
        } else {
            auto& fibers = joined[place->second].fibers;
            fibers.insert(fibers.end(), each.fibers.begin(), each.fibers.end());
        }
    }
    return joined;
}

/// Debug information is read once for all addresses.
void look_up_symbols_of(const std::vector<entry>& all) {
    std::vector<const void*> addresses;
    for (const entry& each : all) {
        if (each.first().spawn_site != nullptr) addresses.push_back(each.first().spawn_site);
        const auto frames = frames_of(each.stack);
        addresses.insert(addresses.end(), frames.begin(), frames.end());
    }
    look_up_symbols(addresses);
}

}  // namespace

std::string describe_fiber(const task& fiber) {
    std::string label = "#" + std::to_string(fiber.id);
    if (fiber.name != nullptr) label += " \"" + printable({fiber.name, fiber.name_bytes}) + "\"";
    return label;
}

void dump_tasks(std::ostream& out, const list<task>& alive, const dump_moment& moment, const dump_options& options) {
    const wait_graph graph{alive};
    std::vector<entry> all = entries_of(alive, moment, options);
    look_up_symbols_of(all);
    if (options.stacks) all = join_by_line(std::move(all), moment);
    for (const entry& each : all) dump_entry(out, each, moment, graph);
}

void dump_cycles(std::ostream& out, const list<task>& alive) {
    const wait_graph graph{alive};
    for (const auto& cycle : graph.cycles()) {
        out << "  cycle:\n";
        for (const task* each : cycle) {
            const std::string holder = "fiber " + describe_fiber(*graph.holder(*each));
            out << "    fiber " << describe_fiber(*each) << " waits for ";
            if (waits_for_end(*each))
                out << "the end of " << holder << '\n';
            else
                out << "a " << each->waits->waits_for << " (" << static_cast<const void*>(each->waits->held_by)
                    << ") that " << holder << " holds\n";
        }
    }
}

}  // namespace coir::detail
