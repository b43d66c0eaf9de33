#pragma once

#include "models/model.hpp"

#include <array>
#include <cstddef>
#include <deque>

namespace coir::models::of_select {

enum kind : int { select_from = first_own, select_otherwise, close };

// The cases of a select, as a set of bits: on channel 0 and on channel 1.
enum cases : int { recv_0 = 1, recv_1 = 2, send_0 = 4, send_1 = 8 };

constexpr outcome received(int channel, int value) { return with_value(channel * 16 + value); }
constexpr outcome received_end(int channel) { return with_value(34 + channel); }
constexpr outcome sent_to(int channel) { return with_value(32 + channel); }
constexpr outcome otherwise_ran = with_value(36);

class select_model : public model {
public:
    explicit select_model(int capacities) {
        channels_[0].capacity = static_cast<std::size_t>(capacities % 2);
        channels_[1].capacity = static_cast<std::size_t>(capacities / 2);
    }

    [[nodiscard]] int state() const override {
        return static_cast<int>(channels_[0].values.size() * 2 + channels_[1].values.size());
    }

private:
    struct channel_state {
        std::size_t capacity = 0;
        std::deque<int> values{};
        bool closed = false;
        fiber_queue senders{};
        fiber_queue receivers{};
    };

    void perform(int fiber) override {
        const operation& what = *at(fiber).doing;
        if (what.kind == close) return close_channel(fiber, what.argument);
        if (take_ready(fiber)) return;
        if (what.kind == select_otherwise) return end(fiber, otherwise_ran);
        if (what.limit == 0) return end(fiber, outcome::refused);  // need not wait, so no cancellation point
        if (!wait(fiber)) return;
        for (int i = 0; i < 2; ++i) {
            if ((what.argument & recv_on(i)) != 0) channels_[index(i)].receivers.push(fiber);
            if ((what.argument & send_on(i)) != 0) channels_[index(i)].senders.push(fiber);
        }
    }

    void resume(int fiber) override {
        if (at(fiber).why != reason::time_is_up) return end(fiber, outcome_of(fiber));
        if (!take_ready(fiber)) end(fiber, outcome::refused);
    }

    static constexpr int recv_on(int channel) { return channel == 0 ? recv_0 : recv_1; }
    static constexpr int send_on(int channel) { return channel == 0 ? send_0 : send_1; }

    bool take_ready(int fiber) {
        int ready = 0;
        for (int i = 0; i < 2; ++i) {
            const channel_state& each = channels_[index(i)];
            if (!each.values.empty() || !each.senders.empty() || each.closed) ready |= recv_on(i);
            if (each.values.size() < each.capacity || !each.receivers.empty() || each.closed) ready |= send_on(i);
        }
        ready &= at(fiber).doing->argument;
        if (ready == 0) return false;
        take(fiber, chosen(fiber, ready));
        return true;
    }

    /// Chance chooses among the ready cases: the one that the real fiber has taken, if it is ready.
    [[nodiscard]] int chosen(int fiber, int ready) const {
        const history::entry& next = real->entries[ended().count];
        const bool has_ended = ended().count < real->count && next.fiber == fiber;
        const int taken = has_ended ? ready & cases_of(next.how) : 0;
        return lowest_bit(taken != 0 ? taken : ready);
    }

    [[nodiscard]] int cases_of(outcome how) const {
        const int code = static_cast<int>(how) - static_cast<int>(outcome::first_value);
        if (how == outcome::closed) return (channels_[0].closed ? send_0 : 0) | (channels_[1].closed ? send_1 : 0);
        if (code < 0 || how == otherwise_ran) return 0;
        if (code < 32) return code < 16 ? recv_0 : recv_1;
        constexpr int others[] = {send_0, send_1, recv_0, recv_1};
        return others[code - 32];
    }

    static constexpr int lowest_bit(int set) { return set & -set; }

    void take(int fiber, int which) {
        const int number = (which & (recv_0 | send_0)) != 0 ? 0 : 1;
        channel_state& from = channels_[index(number)];
        if ((which & (send_0 | send_1)) != 0) return end(fiber, sent(fiber, number, from));
        if (!from.senders.empty()) {
            const int sender = from.senders.pop();
            from.values.push_back(next_value(sender));
            wake(sender, sent_to(number));
        }
        if (from.values.empty()) return end(fiber, received_end(number));
        const int first = from.values.front();
        from.values.pop_front();
        end(fiber, received(number, first));
    }

    outcome sent(int fiber, int number, channel_state& to) {
        if (to.closed) return outcome::closed;
        if (to.receivers.empty())
            to.values.push_back(next_value(fiber));
        else
            wake(to.receivers.pop(), received(number, next_value(fiber)));
        return sent_to(number);
    }

    void close_channel(int fiber, int number) {
        channel_state& closing = channels_[index(number)];
        closing.closed = true;
        while (!closing.senders.empty()) wake(closing.senders.pop(), outcome::closed);
        while (!closing.receivers.empty()) wake(closing.receivers.pop(), received_end(number));
        end(fiber, outcome::done);
    }

    void withdraw(int fiber) override {
        for (channel_state& each : channels_) {
            each.senders.erase(fiber);
            each.receivers.erase(fiber);
        }
    }

    int next_value(int fiber) { return value_of(fiber, sent_[index(fiber)]++); }

    std::array<channel_state, 2> channels_;
    std::array<int, fibers> sent_{};
};

}  // namespace coir::models::of_select
