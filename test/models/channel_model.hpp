#pragma once

#include "models/model.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <optional>

namespace coir::models::of_channel {

enum kind : int { send = first_own, try_send, recv, try_recv, close };

class channel_model : public model {
public:
    explicit channel_model(int capacity) : capacity_{static_cast<std::size_t>(capacity)} {}

    [[nodiscard]] int state() const override { return static_cast<int>(values_.size()) * 2 + (closed_ ? 1 : 0); }

private:
    void perform(int fiber) override {
        switch (at(fiber).doing->kind) {
        case send:
            if (const auto how = sent(fiber)) return end(fiber, *how);
            return wait_in(senders_, fiber);
        case recv:
            if (const auto how = received()) return end(fiber, *how);
            return wait_in(receivers_, fiber);
        case try_send: return end(fiber, sent(fiber).value_or(outcome::refused));
        case try_recv: return end(fiber, received().value_or(outcome::refused));
        default: return close_it(fiber);
        }
    }

    void resume(int fiber) override {
        std::optional<outcome> how;
        if (at(fiber).why == reason::time_is_up) how = at(fiber).doing->kind == send ? sent(fiber) : received();
        end(fiber, how.value_or(outcome_of(fiber)));
    }

    /// What a send does that need not wait.
    std::optional<outcome> sent(int fiber) {
        if (closed_) return outcome::closed;
        if (!receivers_.empty()) {
            wake(receivers_.pop(), with_value(next_value(fiber)));
        } else if (values_.size() < capacity_) {
            values_.push_back(next_value(fiber));
        } else {
            return {};
        }
        return outcome::done;
    }

    /// What a receiver gets that need not wait. The value of the first waiting sender goes to the end.
    std::optional<outcome> received() {
        if (!senders_.empty()) {
            const int sender = senders_.pop();
            values_.push_back(next_value(sender));
            wake(sender);
        }
        if (values_.empty()) return closed_ ? std::optional{outcome::refused} : std::nullopt;
        const int first = values_.front();
        values_.pop_front();
        return with_value(first);
    }

    void close_it(int fiber) {
        closed_ = true;
        while (!senders_.empty()) wake(senders_.pop(), outcome::closed);
        while (!receivers_.empty()) wake(receivers_.pop(), outcome::refused);
        end(fiber, outcome::done);
    }

    void withdraw(int fiber) override {
        senders_.erase(fiber);
        receivers_.erase(fiber);
    }

    /// The values of a fiber are numbered; one that was not sent is sent again.
    int next_value(int fiber) { return value_of(fiber, sent_[index(fiber)]++); }

    const std::size_t capacity_;
    std::deque<int> values_;
    bool closed_ = false;
    fiber_queue senders_;
    fiber_queue receivers_;
    std::array<int, fibers> sent_{};
};

}  // namespace coir::models::of_channel
