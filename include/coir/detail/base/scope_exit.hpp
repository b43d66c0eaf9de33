#pragma once

#include <utility>

namespace coir::detail {

/// Calls `f` at the end of the enclosing block, whichever way control leaves it. Modelled on `scope_exit` of Library
/// Fundamentals TS v3.
template <class F> class scope_exit {
public:
    explicit scope_exit(F f) noexcept : f_{std::move(f)} {}
    ~scope_exit() { f_(); }
    scope_exit(const scope_exit&) = delete;
    scope_exit& operator=(const scope_exit&) = delete;

private:
    F f_;
};

}  // namespace coir::detail
