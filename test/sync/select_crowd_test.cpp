#include <coir/error.hpp>
#include <coir/sync/select.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>

#include "base/random.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

using coir::on_done;
using coir::on_recv;
using coir::on_send;
using coir::on_timeout;
using coir::otherwise;
using coir::test::in_scheduler;

namespace {

const auto no_more = [] {};

/// Fibers that send, receive and select at random, stop each other, and time out; and a record of who received what.
/// Times are whole milliseconds of the virtual clock, so that many events happen in the same round.
class crowd {
public:
    explicit crowd(std::uint64_t seed) : random_{seed} {}

    void run(int fibers, int steps_each) {
        std::vector<coir::fiber<void>> members;
        for (int i = 0; i < fibers; ++i) {
            members.push_back(coir::spawn([this, steps_each] {
                for (int step = 0; step < steps_each; ++step) take_a_step();
            }));
        }
        for (auto& each : members) each.get();
        for (auto& each : channels_) {
            while (const auto left = each.try_recv()) receive(left);
        }
    }

    /// Whether each sent value was received exactly once, and no other value.
    [[nodiscard]] bool adds_up() const { return sent_ == received_; }
    [[nodiscard]] int received() const { return std::accumulate(received_.begin(), received_.end(), 0); }

private:
    void take_a_step() {
        switch (random_.below(10)) {
        case 0: return stop_a_step_midway();
        case 1: return static_cast<void>(coir::try_with_timeout(some_time(), [this] { act(); }));
        case 2: return coir::this_fiber::sleep_for(some_time());
        default: return act();
        }
    }

    void stop_a_step_midway() {
        auto other = coir::spawn([this] { act(); });
        if (random_.below(2) == 0)
            coir::this_fiber::yield();
        else
            coir::this_fiber::sleep_for(some_time());
        other.request_stop();
        other.join();
    }

    void act() {
        auto& a = any_channel();
        auto& b = any_channel();
        auto& c = any_channel();
        const int mine = new_value();
        const int also_mine = new_value();
        const auto received = [this](std::optional<int> value) { receive(value); };
        const auto sent = [this](int value) { return [this, value] { ++sent_[static_cast<std::size_t>(value)]; }; };
        switch (random_.below(8)) {
        case 0: return send(a, mine);
        case 1: return receive_from(a);
        case 2: return coir::select(on_recv(a, received), on_timeout(some_time(), no_more));
        case 3: return coir::select(on_send(a, mine, sent(mine)), on_timeout(some_time(), no_more));
        case 4: return coir::select(on_send(a, mine, sent(mine)), on_recv(b, received), otherwise(no_more));
        case 5: return select_or_end(a, mine);
        default:
            return coir::select(on_recv(a, received), on_send(b, mine, sent(mine)), on_timeout(some_time(), no_more),
                                on_send(c, also_mine, sent(also_mine)), on_recv(b, received));
        }
    }

    void send(coir::channel<int>& to, int value) {
        try {
            to.send(value, some_time());
            ++sent_[static_cast<std::size_t>(value)];
        } catch (const coir::timed_out&) {
        }
    }

    void receive_from(coir::channel<int>& from) {
        try {
            receive(from.recv(some_time()));
        } catch (const coir::timed_out&) {
        }
    }

    void select_or_end(coir::channel<int>& from, int mine) {
        auto& to = any_channel();
        auto child = coir::spawn([this] { coir::this_fiber::sleep_for(some_time()); });
        coir::select(on_done(child, [&] { child.get(); }), on_recv(from, [this](auto value) { receive(value); }),
                     on_send(to, mine, [&] { ++sent_[static_cast<std::size_t>(mine)]; }));
    }

    void receive(std::optional<int> value) { ++received_[static_cast<std::size_t>(*value)]; }

    int new_value() {
        sent_.push_back(0);
        received_.push_back(0);
        return static_cast<int>(sent_.size()) - 1;
    }

    coir::channel<int>& any_channel() { return channels_[random_.below(channels_.size())]; }
    std::chrono::milliseconds some_time() { return std::chrono::milliseconds{random_.below(4)}; }

    coir::detail::random_numbers random_;
    std::array<coir::channel<int>, 4> channels_{coir::channel<int>{0}, coir::channel<int>{0}, coir::channel<int>{1},
                                                coir::channel<int>{3}};
    std::vector<int> sent_;
    std::vector<int> received_;
};

}  // namespace

TEST_CASE("select: many random selects, sends, receives and timeouts lose and duplicate no value") {
    constexpr int fibers = 20;
    constexpr int steps_each = 100;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        in_scheduler({.clock = coir::clock_mode::virtual_time, .seed = seed}, [&] {
            crowd all{seed};
            all.run(fibers, steps_each);
            REQUIRE(all.adds_up());
            CHECK(all.received() > fibers * steps_each / 10);  // otherwise the test would prove little
        });
    }
}
