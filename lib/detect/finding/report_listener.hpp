#pragma once

#include <coir/blocking.hpp>

namespace coir::detail {

[[nodiscard]] bool has_blocking_listener() noexcept;

/// Calls the function of `set_blocking_listener`, if there is one.
void tell_blocking_listener(const blocking_report& what);

}  // namespace coir::detail
