#pragma once

namespace coir::detail {

/// Work that another thread hands to a scheduler. The sender owns the memory, which must stay valid until the message
/// has arrived.
struct message {
    using callback = void (*)(message&) noexcept;

    explicit message(callback on_arrival) noexcept : arrive{on_arrival} {}

    message* next = nullptr;
    callback arrive;  // called by the hub: wakes a task, must not run user code
};

}  // namespace coir::detail
