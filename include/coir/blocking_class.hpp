#pragma once

#include <coir/detail/base/platform.hpp>

#include <cstddef>

/// @file Layer core.

namespace coir {

/// What a call that can hold its thread waits for; `cpu` is a computation.
enum class blocking_class { sleep, poll, network, pipe, disk, lock, process, dns, signal, other, cpu };

inline constexpr std::size_t blocking_class_count = 11;

}  // namespace coir
