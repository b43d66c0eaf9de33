#include "detect/record/blocking_events.hpp"

#include "base/fnv1a.hpp"
#include "detect/record/backed_memory.hpp"
#include "detect/record/test_case.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace coir::detail {

namespace {

/// A longer sleep is an event of its own: only then some calls are errors (level.hpp).
constexpr auto long_sleep = std::chrono::milliseconds{1};

/// A hash of the members by which events are merged. Without a stack, the spawn site of the fiber replaces it.
std::uint64_t key_of(const blocking_event& seen) noexcept {
    fnv1a hash;
    hash.mix(static_cast<std::uint64_t>(seen.kind));
    hash.mix(static_cast<std::uint64_t>(seen.category));
    hash.mix(std::uint64_t{seen.longest >= long_sleep ? 1U : 0U});
    hash.mix(seen.call.view());
    if (seen.stack.depth == 0) hash.mix(reinterpret_cast<std::uintptr_t>(seen.fiber.spawn_site));
    for (int i = 0; i < seen.stack.depth; ++i) {
        hash.mix(reinterpret_cast<std::uintptr_t>(seen.stack.frames[static_cast<std::size_t>(i)]));
    }
    return hash.value();
}

constexpr int importance_max = 2;
constexpr int importance_of_errors = 1;

/// From 0 to `importance_max`: what may be an error comes before what is none, and what slept before what did not.
int importance(const blocking_event& seen) noexcept {
    const bool slept = seen.kind != blocking_kind::latent;
    if (seen.kind == blocking_kind::hog) return importance_max;
    const blocking_level level = level_of_call(seen.call.view(), seen.rule, slept, slept && seen.longest >= long_sleep);
    if (level != blocking_level::error) return 0;
    return slept ? importance_max : importance_of_errors;
}

}  // namespace

void blocking_event::copy_used(const blocking_event& from) noexcept {
    constexpr std::size_t head = offsetof(blocking_event, stack) + offsetof(call_stack, frames);
    std::memcpy(static_cast<void*>(this), &from, head);
    const int depth = std::clamp(from.stack.depth, 0, call_stack::depth_max);
    std::copy_n(from.stack.frames.begin(), depth, stack.frames.begin());
    stack.depth = depth;
}

/// A spin lock with a bounded wait, held for some hundred instructions and no system call. The wait is bounded because
/// a signal handler may have interrupted the thread that holds the lock.
class blocking_event_table::lock {
public:
    explicit lock(blocking_event_memory& of) noexcept : of_{of} {
        constexpr int tries_max = 1'000'000;
        for (int tries = 0; tries < tries_max && !held_; ++tries) {
            held_ = of_.locked.exchange(1, std::memory_order_acquire) == 0;
        }
    }
    ~lock() {
        if (held_) of_.locked.store(0, std::memory_order_release);
    }
    lock(const lock&) = delete;
    lock& operator=(const lock&) = delete;

    explicit operator bool() const noexcept { return held_; }

private:
    blocking_event_memory& of_;
    bool held_ = false;
};

blocking_event_table::blocking_event_table(blocking_event_memory& memory) noexcept : memory_{memory} {
    const auto known = static_cast<std::size_t>(size());
    std::transform(memory_.events.begin(), memory_.events.begin() + known, keys_.begin(), key_of);
}

blocking_event_table::result blocking_event_table::record(const blocking_event& seen) noexcept {
    return record(seen, current_test_case());
}

blocking_event_table::result blocking_event_table::record(const blocking_event& seen,
                                                          std::string_view test_case) noexcept {
    const std::uint64_t key = key_of(seen);
    const lock held{memory_};
    const auto size = memory_.blocking_events_size.load(std::memory_order_relaxed);
    const auto end = keys_.begin() + size;
    const auto found = held ? std::find(keys_.begin(), end, key) : end;
    const auto index = static_cast<std::size_t>(found - keys_.begin());
    if (found != end) {
        blocking_event& known = memory_.events[index];
        known.count += seen.count;
        known.total += seen.total;
        known.longest = std::max(known.longest, seen.longest);
        return {static_cast<int>(index), false};
    }
    if (!held || !has_space(seen, size)) {
        leave_out(seen);
        return {};
    }
    memory_.events[index].copy_used(seen);
    std::array<char, 128>& name = memory_.events[index].test_case;
    name[test_case.copy(name.data(), name.size() - 1)] = '\0';
    keys_[index] = key;
    // Last, so that a process that is killed in this function does not publish an incomplete event.
    memory_.blocking_events_size.store(size + 1, std::memory_order_release);
    return {static_cast<int>(index), true};
}

/// Each step down in importance halves the part of the table that may be filled.
bool blocking_event_table::has_space(const blocking_event& seen, std::uint32_t size) const noexcept {
    return size < unsigned{capacity} >> (importance_max - importance(seen)) &&
           is_backed(&memory_.events[size], sizeof(blocking_event));
}

void blocking_event_table::leave_out(const blocking_event& seen) noexcept {
    auto& counted = importance(seen) >= importance_of_errors ? memory_.left_out_errors : memory_.left_out_others;
    counted.fetch_add(std::max<std::uint64_t>(seen.count, 1), std::memory_order_relaxed);
}

void blocking_event_table::merge(const blocking_event_memory& other) noexcept {
    const auto size = other.blocking_events_size.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < size; ++i) record(other.events[i], other.events[i].test_case.data());
    memory_.left_out_errors.fetch_add(other.left_out_errors.load(std::memory_order_relaxed));
    memory_.left_out_others.fetch_add(other.left_out_others.load(std::memory_order_relaxed));
    memory_.fibers_ran.fetch_add(other.fibers_ran.load(std::memory_order_relaxed));
}

void blocking_event_table::lengthen(int index, std::chrono::nanoseconds recorded,
                                    std::chrono::nanoseconds actual) noexcept {
    if (index < 0) return;
    const lock held{memory_};
    blocking_event& known = memory_.events[static_cast<std::size_t>(index)];
    known.goes_on = false;
    if (actual <= recorded) return;
    known.total += actual - recorded;
    known.longest = std::max(known.longest, actual);
}

int blocking_event_table::size() const noexcept {
    return static_cast<int>(memory_.blocking_events_size.load(std::memory_order_acquire));
}

std::uint64_t blocking_event_table::left_out() const noexcept {
    return left_out_errors() + memory_.left_out_others.load(std::memory_order_relaxed);
}

std::uint64_t blocking_event_table::left_out_errors() const noexcept {
    return memory_.left_out_errors.load(std::memory_order_relaxed);
}

void blocking_event_table::copy(int index, blocking_event& into) const noexcept {
    const lock held{memory_};
    into.copy_used(memory_.events[static_cast<std::size_t>(index)]);
}

}  // namespace coir::detail
