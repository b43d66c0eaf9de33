#include "detect/sightings.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace coir::detail {

namespace {

/// FNV-1a over what makes two sightings one. Of a stack that is not known, the place where the fiber was spawned.
std::uint64_t key_of(const sighting& seen) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
    mix(static_cast<std::uint64_t>(seen.kind));
    mix(static_cast<std::uint64_t>(seen.category));
    mix(reinterpret_cast<std::uintptr_t>(seen.call));
    if (seen.stack.depth == 0) mix(reinterpret_cast<std::uintptr_t>(seen.fiber.spawn_site));
    for (int i = 0; i < seen.stack.depth; ++i) {
        mix(reinterpret_cast<std::uintptr_t>(seen.stack.frames[static_cast<std::size_t>(i)]));
    }
    return hash;
}

}  // namespace

// Untouched until a sighting is stored: a run that never blocks pays no memory for the table.
sighting_table::sighting_table() : seen_{static_cast<sighting*>(std::malloc(sizeof(sighting) * capacity))} {
    if (seen_ == nullptr) throw std::bad_alloc{};
}

void sighting_table::freed::operator()(void* memory) const noexcept { std::free(memory); }

sighting_table::result sighting_table::record(const sighting& seen) noexcept {
    const std::uint64_t key = key_of(seen);
    const std::lock_guard lock{mutex_};
    const auto end = keys_.begin() + size_;
    const auto found = std::find(keys_.begin(), end, key);
    const int place = static_cast<int>(found - keys_.begin());
    if (found != end) {
        sighting& known = seen_[static_cast<std::size_t>(place)];
        known.count += seen.count;
        known.total += seen.total;
        known.longest = std::max(known.longest, seen.longest);
        return {place, false};
    }
    if (size_ == capacity) {
        ++left_out_;
        return {};
    }
    ::new (&seen_[static_cast<std::size_t>(place)]) sighting{seen};
    keys_[static_cast<std::size_t>(place)] = key;
    ++size_;
    return {place, true};
}

void sighting_table::lengthen(int place, std::chrono::nanoseconds said, std::chrono::nanoseconds really) noexcept {
    if (place < 0 || really <= said) return;
    const std::lock_guard lock{mutex_};
    sighting& known = seen_[static_cast<std::size_t>(place)];
    known.total += really - said;
    known.longest = std::max(known.longest, really);
}

int sighting_table::size() const noexcept {
    const std::lock_guard lock{mutex_};
    return size_;
}

std::uint64_t sighting_table::left_out() const noexcept {
    const std::lock_guard lock{mutex_};
    return left_out_;
}

void sighting_table::copy(int place, sighting& into) const noexcept {
    const std::lock_guard lock{mutex_};
    into = seen_[static_cast<std::size_t>(place)];
}

}  // namespace coir::detail
