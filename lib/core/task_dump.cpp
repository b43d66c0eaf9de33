#include "core/task_dump.hpp"

#include <ostream>

#include "base/symbols.hpp"
#include "core/waiter.hpp"

namespace coir::detail {

namespace {

std::string state_of(const task& fiber, bool runs) {
    if (runs) return "running";
    switch (fiber.state) {
    case task_state::unstarted: return "spawned";
    case task_state::ready: return "ready";
    case task_state::ended: return "finished";
    case task_state::parked: break;
    }
    std::string what = std::string{"parked on "} + fiber.waits->waits_for;
    if (fiber.waits->descriptor >= 0) what += " " + std::to_string(fiber.waits->descriptor);
    return what;
}

}  // namespace

std::string label_of(const task& fiber) {
    std::string label = "#" + std::to_string(fiber.id);
    if (fiber.name != nullptr) label += " \"" + std::string{fiber.name, fiber.name_bytes} + "\"";
    return label;
}

void dump_task(std::ostream& out, const task& fiber, bool runs) {
    out << "  fiber " << label_of(fiber) << ": " << state_of(fiber, runs);
    if (fiber.stop_requested) out << ", to stop";
    if (fiber.shields > 0) out << ", shielded";
    if (fiber.spawn_site != nullptr) out << ", spawned at " << describe_call_site(fiber.spawn_site);
    out << '\n';
}

}  // namespace coir::detail
