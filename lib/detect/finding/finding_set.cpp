#include "detect/finding/finding_set.hpp"

#include "base/fnv1a.hpp"
#include "detect/finding/wording.hpp"

#include <algorithm>
#include <utility>

namespace coir::detail {

namespace {

std::uint64_t hash_of(const std::vector<frame>& stack) {
    fnv1a hash;
    for (const frame& each : stack) {
        hash.mix(each.function);
        hash.mix(static_cast<std::uint64_t>(each.line));
        if (each.function.empty()) hash.mix(each.offset);
    }
    return hash.value();
}

void add_to(finding& known, finding&& seen) {
    known.fibers_ran_ms += seen.fibers_ran_ms;
    if (known.test_case.empty()) known.test_case = seen.test_case;
    const bool is_longer = seen.max_ms > known.max_ms;
    const bool blocked = known.kind != blocking_kind::latent;
    if (blocked == (seen.kind != blocking_kind::latent)) {
        known.count += seen.count;
        known.total_ms += seen.total_ms;
    } else if (!blocked) {
        known.kind = seen.kind;
        known.count = seen.count;
        known.total_ms = seen.total_ms;
        known.max_ms = 0;
    }
    if (blocked && seen.kind == blocking_kind::latent) return;
    known.max_ms = std::max(known.max_ms, seen.max_ms);
    known.goes_on |= seen.goes_on;
    known.waits_for_itself |= seen.waits_for_itself;
    known.level = std::max(known.level, seen.level);
    if (!is_longer) return;
    known.stack = std::move(seen.stack);
    known.location = seen.location;
}

}  // namespace

/// The fingerprint distinguishes statements. A coarse one distinguishes functions only, so there the line does.
std::string location_key(const finding& which) {
    std::string key = which.fingerprint + (which.kind == blocking_kind::hog ? " hog " : " ") +
                      std::to_string(static_cast<int>(which.rule));
    if (which.fingerprint != which.coarse_fingerprint) return key;
    const frame* const users = users_frame(which);
    if (users == nullptr) return key + ' ' + std::to_string(hash_of(which.stack)) + which.spawned_at;
    if (users->line > 0)
        return key + ' ' + to_string(source_line{users->file.substr(users->file.rfind('/') + 1), users->line});
    return key + ' ' + users->function + '+' + std::to_string(users->offset);
}

void finding_set::add(finding seen) {
    const std::uint64_t stack = hash_of(seen.stack);
    const std::uint64_t more = seen.stacks > 0 ? seen.stacks - 1 : 0;
    const auto [at, is_new] = groups_.try_emplace(location_key(seen));
    at->second.stacks.insert(stack);
    at->second.more_stacks = std::max(at->second.more_stacks, more);
    if (is_new)
        at->second.merged = std::move(seen);
    else
        add_to(at->second.merged, std::move(seen));
    if (std::exchange(at->second.last_run, run_) != run_) at->second.merged.fibers_ran_ms += fibers_ran_ms_;
}

std::vector<finding> finding_set::take() const {
    std::vector<finding> all;
    for (const auto& [key, each] : groups_) {
        all.push_back(each.merged);
        all.back().stacks = std::max<std::uint64_t>(each.stacks.size(), each.more_stacks + 1);
    }
    return all;
}

}  // namespace coir::detail
