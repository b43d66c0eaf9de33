#include "core/task/task_dump.hpp"

#include "base/printable.hpp"
#include "base/symbols.hpp"
#include "core/task/join_waiter.hpp"
#include "core/task/wait_graph.hpp"
#include "core/task/waiter.hpp"

#include <ostream>
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

void dump_state(std::ostream& out, const task& fiber, bool runs, const wait_graph& graph) {
    if (runs) {
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
    if (fiber.waits->descriptor >= 0) out << ' ' << fiber.waits->descriptor;
    if (wait_graph::waits_for_one(fiber)) dump_held(out, fiber, graph);
}

void dump_task(std::ostream& out, const task& fiber, bool runs, const wait_graph& graph) {
    out << "  fiber " << describe_fiber(fiber) << ": ";
    dump_state(out, fiber, runs, graph);
    if (fiber.stop_requested) out << ", stop requested";
    if (fiber.shields > 0) out << ", shielded";
    if (fiber.spawn_site != nullptr) out << ", spawned at " << describe_call_site(fiber.spawn_site);
    out << '\n';
}

}  // namespace

std::string describe_fiber(const task& fiber) {
    std::string label = "#" + std::to_string(fiber.id);
    if (fiber.name != nullptr) label += " \"" + printable({fiber.name, fiber.name_bytes}) + "\"";
    return label;
}

void dump_tasks(std::ostream& out, const list<task>& alive, const task& running) {
    const wait_graph graph{alive};
    std::vector<const void*> spawn_sites;
    alive.for_each([&](const task& each) {
        if (each.spawn_site != nullptr) spawn_sites.push_back(each.spawn_site);
    });
    look_up_symbols(spawn_sites);
    alive.for_each([&](const task& each) { dump_task(out, each, &each == &running, graph); });
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
