#include "read/collection.hpp"

#include "detect/finding/wording.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace detector {

namespace {

using coir::detail::blocking_event;
using coir::detail::users_code;

std::string to_string(coir::blocking_engine engine) {
    switch (engine) {
    case coir::blocking_engine::trap: return "trap";
    case coir::blocking_engine::hooks: return "hooks";
    default: return "watch";
    }
}

std::string absolute(const std::string& folder) {
    std::string path = std::filesystem::absolute(folder).lexically_normal().string();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

users_code users_code_of(const code_options& code) {
    const auto matching = [](const pattern& wanted) {
        return [wanted](const frame& each) {
            return wanted.matches(each.function) || wanted.matches(each.file) || wanted.matches(each.module);
        };
    };
    users_code made{.source_root = absolute(code.source_root)};
    if (code.owner) made.owner = matching(*code.owner);
    if (code.ignored) made.ignored = matching(*code.ignored);
    return made;
}

}  // namespace

collection::collection(const code_options& code)
    : code_{users_code_of(code)}, source_{code_}, symbols_{code.debug_folders} {}

void collection::add(const record& from, std::optional<std::int64_t> ended) {
    engines_.insert(to_string(from.engine()));
    if (!from.missing().empty()) notes_.emplace_back(from.missing());
    left_out_ += from.left_out();
    findings_.begin_run(coir::detail::in_milliseconds(from.fibers_ran()));
    const auto symbols = [&](const void* address, const void* caller) { return functions_at(from, address, caller); };
    for (const blocking_event& each : from.events()) {
        finding made = source_.from_event(each, symbols);
        made.goes_on &= !from.is_finished();
        merge(std::move(made));
    }
    if (const blocking_event* const last = from.unfinished_call()) {
        finding made = source_.from_event(*last, symbols);
        made.goes_on = true;
        made.kind = coir::blocking_kind::blocked;
        made.count = 1;
        made.max_ms = ended ? coir::detail::in_milliseconds(std::chrono::nanoseconds{*ended - from.call_began()}) : 0;
        made.total_ms = made.max_ms;
        merge(std::move(made));
    }
}

void collection::add(const result& saved) {
    if (!saved.engine.empty()) engines_.insert(saved.engine);
    notes_.insert(notes_.end(), saved.notes.begin(), saved.notes.end());
    findings_.begin_run(0);  // each finding has its own
    for (finding each : saved.findings) {
        if (code_.ignored) std::erase_if(each.stack, code_.ignored);
        if (code_.owner) coir::detail::locate(code_, each);
        merge(std::move(each));
    }
}

result collection::take() {
    result made;
    made.findings = findings_.take();
    // With several engines, the weakest.
    for (const std::string_view engine : engines_by_rank) {
        if (made.engine.empty() && engines_.contains(std::string{engine})) made.engine = engine;
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

/// The findings of several fibers and runs are one: the number of a fiber with a name says nothing.
void collection::merge(finding seen) {
    if (seen.fiber != '#' + std::to_string(seen.fiber_id)) seen.fiber_id = 0;
    findings_.add(std::move(seen));
}

std::vector<frame> collection::functions_at(const record& from, const void* address, const void* caller) {
    const auto located = [&](const void* of) -> code_address {
        const auto at = reinterpret_cast<std::uintptr_t>(of);
        // Looks up the call instruction: the return address may be behind the end of the module.
        const auto* const module = at == 0 ? nullptr : from.module_at(at - 1);
        return module == nullptr ? code_address{{}, at} : code_address{std::string{module->path}, at - module->bias};
    };
    return symbols_.functions_at(located(address), located(caller));
}

}  // namespace detector
