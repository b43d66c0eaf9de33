#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/channel.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>

#include "base/random.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

using coir::test::in_scheduler;
using namespace std::chrono_literals;

namespace {

/// Compares a channel under random operations with a model that predicts the result of each operation. Fibers send and
/// receive with deadlines, and are stopped. The driver makes non-blocking calls, closes the channel, and lets virtual
/// time pass: one nanosecond whenever all fibers wait.
class modelled_channel {
public:
    modelled_channel(std::size_t capacity, std::uint64_t seed) : channel_{capacity}, random_{seed} {}

    void step() {
        expire();
        switch (random_.below(10)) {
        case 0:
        case 1: return send(come([this](party& me) { channel_.send(me.value, me.until); }));
        case 2:
        case 3: return receive(come([this](party& me) { me.value = channel_.recv(me.until).value_or(nothing); }));
        case 4: return try_to_send();
        case 5: return try_to_receive();
        case 6: return stop_someone();
        default: return settle();
        }
    }

    void close() {
        expire();
        channel_.close();
        for (party* const each : senders_) each->end(ending::refused);
        for (party* const each : receivers_) each->end(ending::served, nothing);
        senders_.clear();
        receivers_.clear();
    }

    /// Runs all fibers until they wait, and checks those that should have ended.
    void settle() {
        coir::this_fiber::sleep_for(1ns);
        std::erase_if(parties_, [this](const std::unique_ptr<party>& each) {
            if (!each->expected) return false;
            expect(each->fiber.done() && each->fiber.get() == *each->expected && each->value == each->expected_value);
            return true;
        });
        expect(channel_.size() == values_.size());
    }

    /// Checks that all fibers have ended, and that the channel contains the same values as the model.
    void finish() {
        settle();
        expect(parties_.empty());
        while (const auto left = channel_.try_recv()) expect(left == take_first());
        expect(values_.empty());
    }

    [[nodiscard]] bool is_as_modelled() const noexcept { return as_modelled_; }

private:
    static constexpr int nothing = -1;

    enum class ending : std::uint8_t { served, refused, timed_out, stopped };

    struct party {
        void end(ending how, int with) {
            expected = how;
            expected_value = with;
        }
        void end(ending how) { end(how, value); }

        int value;  // the value to send, or the received one
        coir::deadline until;
        bool has_come = false;
        std::optional<ending> expected{};  // set when the model has determined it
        int expected_value = nothing;
        coir::fiber<ending> fiber{};
    };

    void expect(bool claim) { as_modelled_ = as_modelled_ && claim; }

    /// Spawns a fiber that does `work`, and lets it start.
    template <class F> party& come(F work) {
        party& me = *parties_.emplace_back(std::make_unique<party>(party{++last_value_, some_deadline()}));
        me.fiber = coir::spawn([&me, work] {
            me.has_come = true;
            try {
                work(me);
                return ending::served;
            } catch (const coir::channel_closed&) {
                return ending::refused;
            } catch (const coir::timed_out&) {
                return ending::timed_out;
            } catch (const coir::cancelled&) {
                return ending::stopped;
            }
        });
        while (!me.has_come) coir::this_fiber::yield();  // other fibers that run meanwhile do not use the channel
        return me;
    }

    coir::deadline some_deadline() {
        const std::size_t length = 1 + random_.below(20);
        return length > 15 ? coir::never : coir::deadline{std::chrono::nanoseconds{length}};
    }

    void send(party& me) {
        if (channel_.is_closed()) return me.end(ending::refused);
        if (!model_take(me.value)) return senders_.push_back(&me);
        me.end(ending::served);
    }

    void receive(party& me) {
        if (const std::optional<int> value = take_first()) return me.end(ending::served, *value);
        if (channel_.is_closed()) return me.end(ending::served, nothing);
        receivers_.push_back(&me);
    }

    void try_to_send() {
        const int value = ++last_value_;
        try {
            expect(channel_.try_send(value) == model_take(value));
        } catch (const coir::channel_closed&) {
            expect(channel_.is_closed());
        }
    }

    void try_to_receive() { expect(channel_.try_recv() == take_first()); }

    void stop_someone() {
        if (parties_.empty()) return;
        party& chosen = *parties_[random_.below(parties_.size())];
        chosen.fiber.request_stop();
        if (!chosen.expected) chosen.end(ending::stopped);
        std::erase(senders_, &chosen);
        std::erase(receivers_, &chosen);
    }

    void expire() {
        const auto has_expired = [](party* each) {
            if (!each->until.has_passed()) return false;
            each->end(ending::timed_out);
            // It tries once more when it runs: it runs before the channel changes.
            while (!each->fiber.done()) coir::this_fiber::yield();
            return true;
        };
        std::erase_if(senders_, has_expired);
        std::erase_if(receivers_, has_expired);
    }

    bool model_take(int value) {
        if (!receivers_.empty()) {
            receivers_.front()->end(ending::served, value);
            receivers_.pop_front();
            return true;
        }
        if (values_.size() >= channel_.capacity()) return false;
        values_.push_back(value);
        return true;
    }

    /// Takes the first value; the value of the first waiting sender takes its slot.
    std::optional<int> take_first() {
        if (!senders_.empty()) {
            values_.push_back(senders_.front()->value);
            senders_.front()->end(ending::served);
            senders_.pop_front();
        }
        if (values_.empty()) return std::nullopt;
        const int first = values_.front();
        values_.pop_front();
        return first;
    }

    coir::channel<int> channel_;
    coir::detail::random_numbers random_;
    bool as_modelled_ = true;
    int last_value_ = 0;
    std::vector<std::unique_ptr<party>> parties_;
    // The model: the values in the channel, and the waiting fibers.
    std::deque<int> values_;
    std::deque<party*> senders_;
    std::deque<party*> receivers_;
};

}  // namespace

TEST_CASE("channel: behaves like a simple model under random operations, stops and timeouts") {
    constexpr int steps = 1'000;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        in_scheduler({.clock = coir::clock_mode::virtual_time, .seed = seed}, [&] {
            modelled_channel under_test{seed % 4, seed};
            for (int step = 0; step < steps; ++step) {
                CAPTURE(step);
                if (step == steps - steps / 20) under_test.close();
                under_test.step();
                REQUIRE(under_test.is_as_modelled());
            }
            under_test.finish();
            REQUIRE(under_test.is_as_modelled());
        });
    }
}
