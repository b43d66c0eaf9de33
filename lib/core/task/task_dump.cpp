#include "core/task/task_dump.hpp"

#include "base/descriptor_peer.hpp"
#include "base/printable.hpp"
#include "core/task/dump_entry.hpp"
#include "core/task/join_waiter.hpp"
#include "core/task/task_stack.hpp"
#include "core/task/wait_graph.hpp"
#include "core/task/waiter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace coir::detail {

namespace {

/// Whether the fiber waits for the end of another fiber, not for something that another fiber holds.
bool waits_for_end(const task& fiber) noexcept { return fiber.waits->waits_for == join_waiter::end_of_a_fiber; }

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
void dump_time(std::ostream& out, const dump_entry& of, std::int64_t now) {
    std::int64_t since = now;
    for (const task* each : of.fibers) since = std::min(since, each->waits->since);
    constexpr std::int64_t tenth = 100'000'000;  // of a second
    const std::int64_t tenths = (now - since) / tenth;
    if (tenths < 10) return;
    out << (of.fibers.size() > 1 ? " for up to " : " for ") << tenths / 10 << '.' << tenths % 10 << " s";
}

void dump_state(std::ostream& out, const dump_entry& of, const dump_moment& moment, const wait_graph& graph) {
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

void dump_spawn_site(std::ostream& out, const dump_entry& of) {
    if (of.spawn_site.empty()) return;
    out << ", spawned at " << of.spawn_site;
    if (of.first().parent != 0) out << " by #" << of.first().parent;
}

void dump_stack(std::ostream& out, const dump_entry& of, const dump_moment& moment) {
    const task& fiber = of.first();
    if (of.stack.depth == 0) return;
    if (&fiber != &moment.running && of.fibers.size() == 1 && fiber.stack_pooled) {
        out << ", stack " << (stack_bytes_used(fiber) + 1023) / 1024 << " of "
            << (fiber.stack_bytes_or(moment.default_stack) >> 10) << " KiB";
    }
    for (const std::string& each : of.functions) out << "\n      " << each;
}

void write_entry(std::ostream& out, const dump_entry& of, const dump_moment& moment, const wait_graph& graph) {
    const task& fiber = of.first();
    dump_names(out, of.fibers);
    dump_state(out, of, moment, graph);
    if (fiber.stop_requested) out << ", stop requested";
    if (fiber.shields > 0) out << ", shielded";
    dump_spawn_site(out, of);
    dump_stack(out, of, moment);
    out << '\n';
}

}  // namespace

std::string describe_fiber(const task& fiber) {
    std::string label = "#" + std::to_string(fiber.id);
    if (fiber.name != nullptr) label += " \"" + printable({fiber.name, fiber.name_bytes}) + "\"";
    return label;
}

void dump_tasks(std::ostream& out, const list<task>& alive, const dump_moment& moment, const dump_options& options) {
    const wait_graph graph{alive};
    for (const dump_entry& each : dump_entries(alive, moment.running, options)) write_entry(out, each, moment, graph);
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
