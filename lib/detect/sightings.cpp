#include "detect/sightings.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace coir::detail {

namespace {

/// FNV-1a over what makes two sightings one. Of a stack that is not known, the place where the fiber was spawned.
std::uint64_t key_of(const sighting& seen) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
    mix(static_cast<std::uint64_t>(seen.kind));
    mix(static_cast<std::uint64_t>(seen.category));
    for (const char each : seen.call.view()) mix(static_cast<unsigned char>(each));
    if (seen.stack.depth == 0) mix(reinterpret_cast<std::uintptr_t>(seen.fiber.spawn_site));
    for (int i = 0; i < seen.stack.depth; ++i) {
        mix(reinterpret_cast<std::uintptr_t>(seen.stack.frames[static_cast<std::size_t>(i)]));
    }
    return hash;
}

}  // namespace

void sighting::copy_used(const sighting& from) noexcept {
    constexpr std::size_t head = offsetof(sighting, stack) + offsetof(call_stack, frames);
    std::memcpy(static_cast<void*>(this), &from, head);
    const int depth = std::clamp(from.stack.depth, 0, call_stack::depth_max);
    std::copy_n(from.stack.frames.begin(), depth, stack.frames.begin());
    stack.depth = depth;
}

/// Held for some hundred instructions, none of them a system call. A signal handler may have interrupted the very
/// thread that holds it, so it is not waited for without end.
class sighting_table::lock {
public:
    explicit lock(sightings_memory& of) noexcept : of_{of} {
        constexpr int patience = 1'000'000;
        for (int tries = 0; tries < patience && !held_; ++tries) {
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
    sightings_memory& of_;
    bool held_ = false;
};

sighting_table::result sighting_table::record(const sighting& seen) noexcept {
    const std::uint64_t key = key_of(seen);
    const lock held{memory_};
    const auto size = memory_.sightings_size.load(std::memory_order_relaxed);
    const auto end = memory_.keys.begin() + size;
    const auto found = held ? std::find(memory_.keys.begin(), end, key) : end;
    const auto place = static_cast<std::size_t>(found - memory_.keys.begin());
    if (found != end) {
        sighting& known = memory_.sightings[place];
        known.count += seen.count;
        known.total += seen.total;
        known.longest = std::max(known.longest, seen.longest);
        return {static_cast<int>(place), false};
    }
    if (!held || size == capacity) {
        memory_.left_out.fetch_add(1, std::memory_order_relaxed);
        return {};
    }
    memory_.sightings[place].copy_used(seen);
    memory_.keys[place] = key;
    // Last: a process that is killed in between leaves no half of one.
    memory_.sightings_size.store(size + 1, std::memory_order_release);
    return {static_cast<int>(place), true};
}

void sighting_table::lengthen(int place, std::chrono::nanoseconds said, std::chrono::nanoseconds really) noexcept {
    if (place < 0) return;
    const lock held{memory_};
    sighting& known = memory_.sightings[static_cast<std::size_t>(place)];
    known.goes_on = false;
    if (really <= said) return;
    known.total += really - said;
    known.longest = std::max(known.longest, really);
}

int sighting_table::size() const noexcept {
    return static_cast<int>(memory_.sightings_size.load(std::memory_order_acquire));
}

std::uint64_t sighting_table::left_out() const noexcept { return memory_.left_out.load(std::memory_order_relaxed); }

void sighting_table::copy(int place, sighting& into) const noexcept {
    const lock held{memory_};
    into.copy_used(memory_.sightings[static_cast<std::size_t>(place)]);
}

}  // namespace coir::detail
