#pragma once

namespace coir::detail {

/// What another thread hands to a scheduler. Lies where the sender put it until it is taken.
struct message {
    using callback = void (*)(message&) noexcept;

    explicit message(callback on_arrival) noexcept : arrive{on_arrival} {}

    message* next = nullptr;
    callback arrive;  // called by the hub: it wakes someone, and runs no code of the user's
};

}  // namespace coir::detail
