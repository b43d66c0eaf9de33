#include "detect/finding/finding_source.hpp"

#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"

#include <algorithm>
#include <span>

namespace coir::detail {

namespace {

/// "file:line", or "function (module+0xoffset)".
std::string spawn_site(const void* address, const finding_source::symbols& look_up) {
    if (address == nullptr) return {};
    const std::vector<frame> found = look_up(address, nullptr);
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
    made.test_case = seen.test_case.data();
    made.spawned_at = spawn_site(seen.fiber.spawn_site, look_up);
    const std::span<const void* const> stack{seen.stack.frames.data(), static_cast<std::size_t>(seen.stack.depth)};
    for (std::size_t i = 0; i < stack.size(); ++i) {
        const void* const caller = i + 1 < stack.size() ? stack[i + 1] : nullptr;
        std::ranges::move(look_up(stack[i], caller), std::back_inserter(made.stack));
    }
    // A marked function stands for a call, so it is reported where it is called.
    if (seen.is_marked && made.stack.size() > 1) made.stack.erase(made.stack.begin());
    find_users_frame(code_, made);
    identity_.identify(made);
    made.level = level_of(made);
    make_printable(made);
    return made;
}

}  // namespace coir::detail
