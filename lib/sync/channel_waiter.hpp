#pragma once

#include "core/task/waiter.hpp"

namespace coir::detail {

/// A fiber that waits to send a value to a channel, or to receive one.
struct channel_waiter : waiter {
    channel_waiter(task& fiber, const char* what, void* where) noexcept : waiter{fiber, what}, value{where} {}

    void* value;  // points to the `T` to send, or to the `std::optional<T>` to receive into
};

}  // namespace coir::detail
