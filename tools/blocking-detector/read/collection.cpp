#include "read/collection.hpp"

#include "detect/calls/classes.hpp"
#include "read/fingerprint.hpp"
#include "render/phrases.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace detector {

namespace {

using coir::detail::blocking_event;

double milliseconds(std::chrono::nanoseconds length) {
    return std::chrono::duration<double, std::milli>(length).count();
}

std::string to_string(coir::blocking_engine engine) {
    switch (engine) {
    case coir::blocking_engine::trap: return "trap";
    case coir::blocking_engine::hooks: return "hooks";
    default: return "watch";
    }
}

std::string describe_fiber(const coir::detail::fiber_label& fiber) {
    return fiber.name_bytes > 0 ? std::string{fiber.name()} : '#' + std::to_string(fiber.id);
}

std::vector<std::string> key_of(const finding& seen) {
    std::vector<std::string> key{std::string{coir::detail::to_string(seen.kind)},
                                 std::string{coir::detail::to_string(seen.category)}, seen.call};
    if (seen.stack.empty()) key.push_back(seen.spawned_at);
    for (const frame& each : seen.stack) {
        key.push_back(each.function.empty() ? detector::function_or_offset(each) : each.function);
        key.push_back(each.file.substr(each.file.rfind('/') + 1));  // without the folder, which may be stripped
        key.push_back(std::to_string(each.line));
    }
    return key;
}

void add_to(finding& known, const finding& seen) {
    known.count += seen.count;
    known.total_ms += seen.total_ms;
    known.max_ms = std::max(known.max_ms, seen.max_ms);
    known.goes_on |= seen.goes_on;
    known.waits_for_itself |= seen.waits_for_itself;
}

}  // namespace

void collection::add(const record& from, std::optional<std::int64_t> ended) {
    engines_.insert(to_string(from.engine()));
    if (!from.missing().empty()) notes_.emplace_back(from.missing());
    left_out_ += from.left_out();
    for (const blocking_event& each : from.events()) merge(read(from, each));
    if (const blocking_event* const last = from.unfinished_call()) {
        finding made = read(from, *last);
        made.goes_on = true;
        made.kind = coir::blocking_kind::blocked;
        made.count = 1;
        made.max_ms = ended ? milliseconds(std::chrono::nanoseconds{*ended - from.call_began()}) : 0;
        made.total_ms = made.max_ms;
        merge(std::move(made));
    }
}

void collection::add(const result& saved) {
    if (!saved.engine.empty()) engines_.insert(saved.engine);
    notes_.insert(notes_.end(), saved.notes.begin(), saved.notes.end());
    for (finding each : saved.findings) {
        leave_out_ignored(code_, each);
        if (code_.owner) locate(code_, each);
        merge(std::move(each));
    }
}

result collection::take() {
    result made;
    for (auto& [where, each] : findings_) {
        const bool is_latent = each.kind == coir::blocking_kind::latent;
        key blocked = where;
        blocked.front() = coir::detail::to_string(coir::blocking_kind::blocked);
        if (!is_latent || !findings_.contains(blocked)) made.findings.push_back(each);
    }
    // With several engines, the weakest.
    for (const char* const engine : {"watch", "hooks", "trap"}) {
        if (made.engine.empty() && engines_.contains(engine)) made.engine = engine;
    }
    if (engines_.size() > 1) notes_.push_back("not all runs had the same engine: the weakest was " + made.engine);
    if (left_out_ > 0) {
        notes_.push_back("not recorded: " + std::to_string(left_out_) +
                         " times at more locations, because a run records " +
                         std::to_string(coir::detail::blocking_event_table::capacity) + " locations at most");
    }
    std::ranges::sort(notes_);
    notes_.erase(std::unique(notes_.begin(), notes_.end()), notes_.end());
    made.notes = notes_;
    return made;
}

void collection::merge(finding&& seen) {
    const auto [at, is_new] = findings_.try_emplace(key_of(seen), seen);
    if (!is_new) add_to(at->second, seen);
}

finding collection::read(const record& from, const blocking_event& seen) {
    finding made;
    made.kind = seen.kind;
    made.category = seen.category;
    made.call = seen.call.view();
    made.count = seen.count;
    made.total_ms = milliseconds(seen.total);
    made.max_ms = milliseconds(seen.longest);
    made.goes_on = seen.goes_on && !from.is_finished();
    made.waits_for_itself = seen.waits_for_itself;
    made.fiber = describe_fiber(seen.fiber);
    made.spawned_at = spawn_site(from, seen.fiber.spawn_site);
    for (int i = 0; i < seen.stack.depth; ++i) {
        const auto& here = functions_at(from, seen.stack.frames[static_cast<std::size_t>(i)]);
        made.stack.insert(made.stack.end(), here.begin(), here.end());
    }
    leave_out_ignored(code_, made);
    leave_out_foreign_sources(made);
    name_by_stack(made);
    locate(code_, made);
    made.fingerprint = fingerprint_of(made);
    return made;
}

const std::vector<frame>& collection::functions_at(const record& from, const void* address) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    // Looks up the call instruction: the return address may be behind the end of the module.
    const auto* const module = at == 0 ? nullptr : from.module_at(at - 1);
    if (module == nullptr) return symbols_.functions_at({}, at);
    return symbols_.functions_at(module->path.data(), at - module->bias);
}

std::string collection::spawn_site(const record& from, const void* address) {
    if (address == nullptr) return {};
    const std::vector<frame>& found = functions_at(from, address);
    const auto users = std::ranges::find_if(found, [](const frame& each) { return !each.plumbing; });
    const frame& here = users != found.end() ? *users : found.back();
    if (!here.file.empty()) return to_string(source_line{here.file, here.line});
    frame nameless = here;
    nameless.function.clear();
    return here.function.empty() ? detector::function_or_offset(here)
                                 : here.function + " (" + detector::function_or_offset(nameless) + ')';
}

}  // namespace detector
