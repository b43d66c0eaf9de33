#include "detect/finding/finding_source.hpp"

#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"

#include <algorithm>

namespace coir::detail {

namespace {

/// "file:line", or "function (module+0xoffset)".
std::string spawn_site(const void* address, const finding_source::symbols& look_up) {
    if (address == nullptr) return {};
    const std::vector<frame> found = look_up(address);
    const auto users = std::ranges::find_if(found, [](const frame& each) { return !each.plumbing; });
    const frame& here = users != found.end() ? *users : found.back();
    if (!here.file.empty()) return to_string(source_line{here.file, here.line});
    frame nameless = here;
    nameless.function.clear();
    return here.function.empty() ? function_or_offset(here) : here.function + " (" + function_or_offset(nameless) + ')';
}

}  // namespace

finding finding_source::from_event(const blocking_event& seen, const symbols& look_up) {
    finding made;
    made.kind = seen.kind;
    made.rule = seen.rule;
    made.category = seen.category;
    made.call = seen.call.view();
    made.count = seen.count;
    made.total_ms = in_milliseconds(seen.total);
    made.max_ms = in_milliseconds(seen.longest);
    made.goes_on = seen.goes_on;
    made.waits_for_itself = seen.waits_for_itself;
    made.fiber_id = seen.fiber.id;
    made.fiber = seen.fiber.name_bytes > 0 ? std::string{seen.fiber.name()} : '#' + std::to_string(seen.fiber.id);
    made.spawned_at = spawn_site(seen.fiber.spawn_site, look_up);
    for (int i = 0; i < seen.stack.depth; ++i)
        std::ranges::move(look_up(seen.stack.frames[static_cast<std::size_t>(i)]), std::back_inserter(made.stack));
    find_users_frame(code_, made);
    identity_.identify(made);
    made.level = level_of(made);
    return made;
}

}  // namespace coir::detail
