#pragma once

#include "core/waiter.hpp"

namespace coir::detail {

/// A fiber that waits at a channel, with a value or for one.
struct party : waiter {
    party(task& who, const char* what, void* where) noexcept : waiter{who, what}, place{where} {}

    void* place;  // of the value: a `T` to send, a `std::optional<T>` to receive
};

}  // namespace coir::detail
