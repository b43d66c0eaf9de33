#pragma once

#include "core/task/waiter.hpp"

namespace coir::detail {

/// A fiber that waits at a channel, with a value or for one.
struct channel_waiter : waiter {
    channel_waiter(task& who, const char* what, void* where) noexcept : waiter{who, what}, value{where} {}

    void* value;  // of the value: a `T` to send, a `std::optional<T>` to receive
};

}  // namespace coir::detail
