#pragma once

#include <exception>

namespace coir::detail {

/// `std::current_exception()`, for an exception that is kept for later. If there is no memory, returns a
/// `std::bad_alloc` that all such failures share: the C++ runtime has a small reserve for exceptions, and ends the program
/// when kept ones have used it up.
[[nodiscard]] std::exception_ptr current_failure() noexcept;

/// The exception that `f` throws, or the one that says that there is no memory for it.
template <class F> [[nodiscard]] std::exception_ptr failure_from(F f) noexcept {
    try {
        f();
    } catch (...) {
        return current_failure();
    }
    return nullptr;
}

/// The same as `current_failure`, for an exception that ends a fiber. `scope_expired` becomes `timed_out`: the scope was
/// the fiber's own, and means nothing to others.
[[nodiscard]] std::exception_ptr failure_of_fiber() noexcept;

/// Makes the exception that failures share. Throws `std::bad_alloc`, at the first call only.
const std::exception_ptr& failure_without_memory();

}  // namespace coir::detail
