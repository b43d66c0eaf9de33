#pragma once

#include <coir/deadline.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string_view>

/// Operations of the calling fiber. All except `in_fiber` throw `not_in_fiber` outside `coir::run`.
///
/// @code
/// coir::this_fiber::sleep_for(1ms);
/// coir::this_fiber::yield();
/// if (!coir::this_fiber::in_fiber()) throw std::logic_error{"where am I"};
/// @endcode
namespace coir::this_fiber {

/// Lets the fibers that are ready run first. Throws `cancelled`, `scope_expired`.
void yield();

/// Suspends the fiber until `until` has passed, never shorter. Throws `cancelled`, `scope_expired`.
void sleep_until(deadline until);

/// As above, counted from now; a length of zero or less is a yield.
template <class Rep, class Period> void sleep_for(std::chrono::duration<Rep, Period> length) {
    if (length > length.zero())
        sleep_until(deadline{length});
    else
        yield();
}

[[nodiscard]] std::uint64_t id();
[[nodiscard]] std::string_view name();

/// A token for the stop of this fiber, for code that uses `std::stop_token`. A `std::stop_callback` on it runs in the
/// fiber that requests the stop, and must not suspend; otherwise the program aborts.
[[nodiscard]] std::stop_token stop_token();

/// Throws `cancelled` if the fiber is to stop and no shield holds the stop back. In that case, lets other fibers run
/// first.
void throw_if_stopped();

/// Bytes left on this fiber's stack, below the caller's frame.
[[nodiscard]] std::size_t stack_remaining();

/// Whether the caller runs in a fiber: always true within `coir::run`.
[[nodiscard]] bool in_fiber() noexcept;

}  // namespace coir::this_fiber
