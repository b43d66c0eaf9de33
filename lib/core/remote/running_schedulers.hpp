#pragma once

#include <cstdint>

/// The serial numbers of all running schedulers of this process. All functions may be called on any thread. The set is
/// queried only if a scheduler uses an object that belongs to another one.
namespace coir::detail::running_schedulers {

/// Adds a new scheduler and returns its serial number, which is unique in this process and its ancestors. Throws
/// `std::bad_alloc`.
std::uint64_t enrol();

void leave(std::uint64_t serial) noexcept;

[[nodiscard]] bool contain(std::uint64_t serial) noexcept;

/// Whether the number belongs to a scheduler of a process that this one was forked from.
[[nodiscard]] bool is_from_parent_process(std::uint64_t serial) noexcept;

}  // namespace coir::detail::running_schedulers
