#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace coir::models {

inline constexpr int fibers = 3;
inline constexpr int operations_each = 4;

[[nodiscard]] constexpr std::size_t index(int fiber) { return static_cast<std::size_t>(fiber); }

/// Time is counted in half ticks. Operations begin at full ticks, limits end at half ticks: so no two of them meet.
inline constexpr int unlimited = -1;

/// What an operation does. The kinds from `first_own` on are those of a primitive.
enum common_kind : int { leave, request_stop, first_own };

/// One operation of a fiber, as it stands in a primitive's table.
struct operation {
    const char* name;
    int kind;
    int limit = unlimited;  // half ticks
    int argument = 0;
    int weight = 1;  // how often programs have it
    bool shielded = false;
    // Time scopes around the operation, in half ticks: `outer` contains `inner`.
    int outer = unlimited;
    int inner = unlimited;
    int delay = 0;  // half ticks that the fiber sleeps before, so that it meets the limits of others
};

/// The end of each fiber: it gives back what it holds.
inline constexpr operation leaving{"leave", leave};

/// How an operation ended.
enum class outcome : std::uint8_t {
    done,
    refused,  // false, an empty optional, or a time-out that is no exception
    timed_out,
    cancelled,
    outer_expired,  // a time scope around the operation
    inner_expired,
    already_held,
    not_permitted,
    closed,
    argument_changed,
    other_exception,
    first_value = 64,  // and more: a value that was received
};

[[nodiscard]] constexpr outcome done_if(bool success) { return success ? outcome::done : outcome::refused; }

/// The values that fibers send: each fiber has numbers of its own.
[[nodiscard]] constexpr int value_of(int fiber, int number) { return fiber * operations_each + number; }
[[nodiscard]] constexpr outcome with_value(int value) {
    return static_cast<outcome>(static_cast<int>(outcome::first_value) + value);
}

std::string text_of(const operation& of);
std::string text_of(outcome of);

/// The operations that have ended, in the order of their ends.
struct history {
    struct entry {
        std::int8_t fiber;
        outcome how;
        friend bool operator==(const entry&, const entry&) = default;
    };

    friend bool operator==(const history&, const history&) = default;
    void add(int fiber, outcome how) { entries[count++] = {static_cast<std::int8_t>(fiber), how}; }

    std::array<entry, fibers*(operations_each + 1)> entries{};
    std::size_t count = 0;
};

}  // namespace coir::models
