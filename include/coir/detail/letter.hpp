#pragma once

namespace coir::detail {

/// What another thread hands to a scheduler. Lies where the sender put it until it is taken.
struct letter {
    using callback = void (*)(letter&) noexcept;

    explicit letter(callback on_arrival) noexcept : arrive{on_arrival} {}

    letter* next = nullptr;
    callback arrive;  // called by the hub: it wakes someone, and runs no code of the user's
};

}  // namespace coir::detail
