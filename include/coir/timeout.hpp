#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/expiry_scope.hpp>
#include <coir/error.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace coir {

/// Limits the time of all that the fiber does during the scope: once `until` has passed, every suspension throws
/// `scope_expired`, until the scope is left. Scopes nest, and an outer scope also expires inside an inner one.
/// `with_timeout` does the same, and turns the expiry into `timed_out`. Must be a local variable: left by the fiber
/// that entered it, in reverse order of entering. Throws `not_in_fiber`.
///
/// @code
/// coir::timeout_scope patience{1ms};
/// try {
///     coir::this_fiber::sleep_for(1h);
/// } catch (const coir::scope_expired&) {
///     if (!patience.expired()) throw;  // an outer scope has expired
/// }
/// @endcode
class [[nodiscard]] timeout_scope {
public:
    explicit timeout_scope(deadline until);
    ~timeout_scope();
    timeout_scope(const timeout_scope&) = delete;
    timeout_scope& operator=(const timeout_scope&) = delete;

    /// Whether the scheduler has noticed that the time is up: at the latest when a suspension throws for this scope.
    [[nodiscard]] bool expired() const noexcept { return scope_.expired; }

    /// Converts to the argument of `scope_expired::belongs_to`.
    operator const detail::expiry_scope&() const noexcept { return scope_; }

private:
    detail::expiry_scope scope_;
};

namespace detail {
[[noreturn]] void throw_timed_out();
}

/// Calls `f` in this fiber, and throws `timed_out` if the time is up before it returns: suspensions in `f` then throw
/// `scope_expired`, and `f` is unwound. If `f` returns, its result is returned, however late.
///
/// @code
/// try {
///     coir::with_timeout(1ms, [] { coir::this_fiber::sleep_for(1h); });
/// } catch (const coir::timed_out&) {
/// }
/// @endcode
template <std::invocable F> std::invoke_result_t<F> with_timeout(deadline until, F&& f) {
    const timeout_scope scope{until};
    try {
        return std::invoke(std::forward<F>(f));
    } catch (const scope_expired& expiry) {
        if (!expiry.belongs_to(scope)) throw;
    }
    detail::throw_timed_out();
}

/// As `with_timeout`, but does not throw `timed_out`. Returns the result of `f` in an optional, which is empty if the
/// time is up. If the result type of `f` is void, returns true, or false if the time is up.
///
/// @code
/// if (coir::try_with_timeout(1ms, [] { coir::this_fiber::sleep_for(1h); })) throw std::logic_error{"early"};
/// if (coir::try_with_timeout(1h, [] { return 42; }) != 42) throw std::logic_error{"late"};
/// @endcode
template <std::invocable F> [[nodiscard]] auto try_with_timeout(deadline until, F&& f) {
    using result = std::invoke_result_t<F>;
    const timeout_scope scope{until};
    try {
        if constexpr (std::is_void_v<result>) {
            std::invoke(std::forward<F>(f));
            return true;
        } else {
            return std::optional<result>{std::invoke(std::forward<F>(f))};
        }
    } catch (const scope_expired& expiry) {
        if (!expiry.belongs_to(scope)) throw;
    }
    if constexpr (std::is_void_v<result>)
        return false;
    else
        return std::optional<result>{};
}

}  // namespace coir
