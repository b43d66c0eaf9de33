#pragma once

#include "detect/record/record_format.hpp"

#include <atomic>

namespace coir::detail {

/// Adds the program and its loaded libraries to a record file, with their build ids, unless they are in it. Does nothing
/// if none was loaded since `seen` was set; zero means never. Must not be called in a signal handler.
void add_loaded_modules(record_header& to, std::atomic<unsigned long long>& seen) noexcept;

}  // namespace coir::detail
