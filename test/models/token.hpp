#pragma once

#include "models/operation.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace coir::models {

/// A value that shows whether it was moved from.
class token {
public:
    explicit token(int value) noexcept : value_{value} {}
    token(token&& other) noexcept : value_{std::exchange(other.value_, moved_from)} {}
    token& operator=(token&& other) noexcept {
        value_ = std::exchange(other.value_, moved_from);
        return *this;
    }
    ~token() = default;

    [[nodiscard]] int value() const { return value_; }

private:
    static constexpr int moved_from = -1;
    int value_;
};

[[nodiscard]] inline outcome outcome_of(const std::optional<token>& received) {
    return received ? with_value(received->value()) : outcome::refused;
}

/// Makes the values that each fiber sends. They are numbered; one that was not sent is sent again.
class token_sources {
public:
    /// Calls `f(token&)`, which returns whether the value is sent. If it is not, the argument must be unchanged.
    template <class F> outcome send(int fiber, F&& f) {
        int& number = sent_[index(fiber)];
        const int value = value_of(fiber, number);
        token argument{value};
        try {
            const bool sent = std::forward<F>(f)(argument);
            if (sent) ++number;
            return sent || argument.value() == value ? done_if(sent) : outcome::argument_changed;
        } catch (...) {
            if (argument.value() != value) return outcome::argument_changed;
            throw;
        }
    }

private:
    std::array<int, fibers> sent_{};
};

}  // namespace coir::models
