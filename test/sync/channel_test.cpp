#include <coir/channel.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/offload.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>
#include <cstdint>
#include <deque>
#include <doctest/doctest.h>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "support/compute_for.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

using coir::test::compute_for;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

static_assert(std::input_iterator<coir::channel<int>::iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, coir::channel<int>::iterator>);

TEST_CASE("channel: what is sent comes out in the order it was sent, for every capacity") {
    for (const std::size_t capacity : {0U, 1U, 2U, 7U, 8U, 100U}) {
        CAPTURE(capacity);
        in_scheduler([&] {
            coir::channel<int> numbers{capacity};
            auto sender = coir::spawn([&] {
                for (int i = 0; i < 50; ++i) numbers.send(i);
                numbers.close();
            });
            std::vector<int> came;
            while (auto number = numbers.recv()) came.push_back(*number);
            std::vector<int> expected(50);
            std::iota(expected.begin(), expected.end(), 0);
            CHECK(came == expected);
            sender.get();
        });
    }
}

TEST_CASE("channel: with capacity 0 a sender waits until its value is taken") {
    in_scheduler([] {
        coir::channel<int> numbers;
        CHECK(numbers.capacity() == 0);
        auto sender = coir::spawn([&] { numbers.send(1); });
        for (int i = 0; i < 5; ++i) coir::this_fiber::yield();
        CHECK_FALSE(sender.done());
        CHECK(numbers.empty());  // the value lies with its sender
        CHECK(numbers.recv() == 1);
        sender.get();
    });
}

TEST_CASE("channel: a sender waits only when the channel is full") {
    in_scheduler([] {
        coir::channel<int> numbers{2};
        numbers.send(1);
        numbers.send(2);
        CHECK(numbers.size() == 2);
        auto third = coir::spawn([&] { numbers.send(3); });
        coir::this_fiber::yield();
        CHECK_FALSE(third.done());
        CHECK(numbers.recv() == 1);
        CHECK(numbers.size() == 2);  // the third has moved up
        third.get();
        CHECK(numbers.recv() == 2);
        CHECK(numbers.recv() == 3);
        CHECK(numbers.empty());
    });
}

TEST_CASE("channel: receivers are served in the order they came, and senders too") {
    in_scheduler([] {
        coir::channel<int> numbers;
        std::vector<std::string> log;
        const auto receiving = [&](std::string name) {
            return coir::spawn([&, name] { log.push_back(name + std::to_string(*numbers.recv())); });
        };
        auto a = receiving("a");
        auto b = receiving("b");
        coir::this_fiber::yield();
        numbers.send(1);
        numbers.send(2);
        a.get();
        b.get();
        CHECK(log == std::vector<std::string>{"a1", "b2"});

        auto third = coir::spawn([&] { numbers.send(3); });
        auto fourth = coir::spawn([&] { numbers.send(4); });
        coir::this_fiber::yield();
        CHECK(numbers.recv() == 3);
        CHECK(numbers.recv() == 4);
        third.get();
        fourth.get();
    });
}

TEST_CASE("channel: a value handed to a waiting receiver is out of reach of those who come later") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        int got = 0;
        auto first = coir::spawn([&] { got = *numbers.recv(); });
        coir::this_fiber::yield();
        numbers.send(1);
        CHECK_FALSE(numbers.try_recv().has_value());
        first.get();
        CHECK(got == 1);
    });
}

TEST_CASE("channel: values that can only be moved work, and a sent lvalue is copied") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> pointers{1};
        pointers.send(std::make_unique<int>(1));
        auto sender = coir::spawn([&] { pointers.send(std::make_unique<int>(2)); });
        coir::this_fiber::yield();
        CHECK(**pointers.recv() == 1);
        CHECK(**pointers.recv() == 2);
        sender.get();

        coir::channel<std::string> words{1};
        const std::string word = "kept";
        words.send(word);
        CHECK(word == "kept");
        CHECK(words.recv() == "kept");
    });
}

TEST_CASE("channel: try_send and try_recv do what needs no waiting") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        CHECK_FALSE(numbers.try_recv().has_value());
        CHECK(numbers.try_send(1));
        CHECK_FALSE(numbers.try_send(2));
        CHECK(numbers.try_recv() == 1);

        coir::channel<int> rendezvous;
        CHECK_FALSE(rendezvous.try_send(1));
        auto receiver = coir::spawn([&] { return *rendezvous.recv(); });
        coir::this_fiber::yield();
        CHECK(rendezvous.try_send(2));
        CHECK(receiver.get() == 2);
        auto sender = coir::spawn([&] { rendezvous.send(3); });
        coir::this_fiber::yield();
        CHECK(rendezvous.try_recv() == 3);
        sender.get();
    });
}

TEST_CASE("channel: a send that does not happen leaves the value where it was") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> full;
        auto value = std::make_unique<int>(1);
        CHECK_FALSE(full.try_send(std::move(value)));
        CHECK(value != nullptr);
        CHECK_THROWS_AS(full.send(std::move(value), 1ms), coir::timed_out);
        CHECK(value != nullptr);
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { full.send(std::move(value)); }), coir::timed_out);
        CHECK(value != nullptr);

        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(full.send(std::move(value)), coir::cancelled);
            CHECK(value != nullptr);
        });
        coir::this_fiber::yield();
        stopped.request_stop();
        stopped.get();

        auto closing = coir::spawn([&] { full.close(); });
        CHECK_THROWS_AS(full.send(std::move(value)), coir::channel_closed);
        CHECK(value != nullptr);
        CHECK_THROWS_AS(full.send(std::move(value)), coir::channel_closed);
        CHECK(value != nullptr);
        closing.get();
    });
}

TEST_CASE("channel: what is in a closed channel can be received, and then nothing") {
    in_scheduler([] {
        coir::channel<int> numbers{2};
        numbers.send(1);
        numbers.send(2);
        CHECK_FALSE(numbers.is_closed());
        numbers.close();
        numbers.close();
        CHECK(numbers.is_closed());
        CHECK(numbers.recv() == 1);
        CHECK(numbers.try_recv() == 2);
        CHECK_FALSE(numbers.recv().has_value());
        CHECK_FALSE(numbers.try_recv().has_value());
        CHECK_THROWS_AS(numbers.send(3), coir::channel_closed);
        CHECK_THROWS_AS((void)numbers.try_send(3), coir::channel_closed);
    });
}

TEST_CASE("channel: close sends away all who wait") {
    in_scheduler([] {
        coir::channel<int> empty;
        auto a = coir::spawn([&] { return empty.recv(); });
        auto b = coir::spawn([&] { return empty.recv(); });
        coir::this_fiber::yield();
        empty.close();
        CHECK_FALSE(a.get().has_value());
        CHECK_FALSE(b.get().has_value());

        coir::channel<int> full{1};
        full.send(1);
        auto c = coir::spawn([&] { CHECK_THROWS_AS(full.send(2), coir::channel_closed); });
        coir::this_fiber::yield();
        full.close();
        c.get();
        CHECK(full.recv() == 1);
        CHECK_FALSE(full.recv().has_value());
    });
}

TEST_CASE("channel: range-for receives until it is closed and empty") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> pointers{3};
        auto sender = coir::spawn([&] {
            for (int i = 1; i <= 10; ++i) pointers.send(std::make_unique<int>(i));
            pointers.close();
        });
        int sum = 0;
        for (auto& each : pointers) sum += *std::exchange(each, nullptr);
        CHECK(sum == 55);
        sender.get();
    });
}

TEST_CASE("channel: recv ends with timed_out at its deadline and with cancelled by a stop") {
    in_scheduler([] {
        coir::channel<int> empty{1};
        CHECK_THROWS_AS(empty.recv(1ms), coir::timed_out);
        CHECK_THROWS_AS(empty.recv(-1h), coir::timed_out);
        auto stopped = coir::spawn([&] { empty.recv(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(empty.try_send(1));
        CHECK(empty.size() == 1);  // nobody waits any more
    });
}

TEST_CASE("channel: a receiver that gave up is passed over, and the next one gets the value") {
    in_scheduler([] {
        coir::channel<int> numbers;
        auto late = coir::spawn([&] { CHECK_THROWS_AS(numbers.recv(1ms), coir::timed_out); });
        auto stopped = coir::spawn([&] { numbers.recv(); });
        auto next = coir::spawn([&] { return numbers.recv(); });
        late.get();
        stopped.request_stop();
        numbers.send(1);
        CHECK(next.get() == 1);
    });
}

TEST_CASE("channel: a value that was handed over before a stop, or a deadline unseen by the hub, is received") {
    in_scheduler([] {
        coir::channel<int> numbers;
        auto stopped = coir::spawn([&] { return numbers.recv(); });
        auto late = coir::spawn([&] { return numbers.recv(20ms); });
        coir::this_fiber::yield();
        numbers.send(1);
        stopped.request_stop();
        compute_for(25ms);
        numbers.send(2);
        CHECK(stopped.get() == 1);
        CHECK(late.get() == 2);
    });
}

TEST_CASE("channel: in the same round as their deadlines, a receiver is given nothing and a sender keeps its value") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> pointers;
        const coir::deadline first = 2ms;
        auto receiver = coir::spawn([&] { CHECK_THROWS_AS(pointers.recv(first), coir::timed_out); });
        coir::this_fiber::sleep_until(first);  // one look of the hub wakes both, this fiber first
        CHECK_FALSE(pointers.try_send(std::make_unique<int>(1)));
        receiver.get();

        const coir::deadline second = 2ms;
        auto sender = coir::spawn([&] {
            auto value = std::make_unique<int>(2);
            CHECK_THROWS_AS(pointers.send(std::move(value), second), coir::timed_out);
            CHECK(value != nullptr);
        });
        coir::this_fiber::sleep_until(second);
        CHECK_FALSE(pointers.try_recv().has_value());
        sender.get();
    });
}

TEST_CASE("channel: a value that was taken before its sender was stopped is sent") {
    in_scheduler([] {
        coir::channel<int> numbers;
        bool sent = false;
        auto sender = coir::spawn([&] {
            numbers.send(1);
            sent = true;
        });
        coir::this_fiber::yield();
        CHECK(numbers.recv() == 1);
        sender.request_stop();
        sender.get();
        CHECK(sent);
    });
}

TEST_CASE("channel: what need not wait is no cancellation point") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            numbers.send(1);
            CHECK_THROWS_AS(numbers.send(2), coir::cancelled);
            CHECK(numbers.recv() == 1);
            CHECK_THROWS_AS(numbers.recv(), coir::cancelled);
            return true;
        });
        stopped.request_stop();
        CHECK(stopped.get());
    });
}

TEST_CASE("channel: many senders and receivers lose nothing and see nothing twice") {
    for (const std::size_t capacity : {0U, 3U}) {
        CAPTURE(capacity);
        in_scheduler([&] {
            coir::channel<int> numbers{capacity};
            std::vector<int> seen(400);
            std::vector<coir::fiber<void>> senders;
            std::vector<coir::fiber<void>> receivers;
            for (int s = 0; s < 4; ++s) {
                receivers.push_back(coir::spawn([&] {
                    for (const int number : numbers) ++seen[static_cast<std::size_t>(number)];
                }));
                senders.push_back(coir::spawn([&, s] {
                    for (int i = 0; i < 100; ++i) {
                        numbers.send(s * 100 + i);
                        if (i % 7 == s) coir::this_fiber::yield();
                    }
                }));
            }
            for (auto& each : senders) each.get();
            numbers.close();
            for (auto& each : receivers) each.get();
            CHECK(seen == std::vector<int>(400, 1));
        });
    }
}

namespace {

/// A channel under random operations, and a model of it that says what each of them gives. Fibers come to send and to
/// receive, with deadlines, and are stopped; the one that drives them tries, closes, and lets time pass: the virtual
/// clock's, a nanosecond whenever all wait.
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

    /// Lets all run until they wait, and compares those that are to have ended.
    void settle() {
        coir::this_fiber::sleep_for(1ns);
        std::erase_if(parties_, [this](const std::unique_ptr<party>& each) {
            if (!each->expected) return false;
            expect(each->fiber.done() && each->fiber.get() == *each->expected && each->value == each->expected_value);
            return true;
        });
        expect(channel_.size() == values_.size());
    }

    /// All has come to its end, and what is left in the channel is what is left in the model.
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

        int value;  // to send, or the one received
        coir::deadline until;
        bool has_come = false;
        std::optional<ending> expected{};  // once the model knows it
        int expected_value = nothing;
        coir::fiber<ending> fiber{};
    };

    void expect(bool claim) { as_modelled_ = as_modelled_ && claim; }

    /// A fiber that does `work`, and has begun to.
    template <class F> party& come(F work) {
        party& me = *parties_.emplace_back(std::make_unique<party>(party{++last_value_, some_deadline()}));
        me.fiber = coir::spawn([&me, work] {
            me.has_come = true;
            try {
                work(me);
                return ending::served;
            } catch (const coir::channel_closed&) { return ending::refused; } catch (const coir::timed_out&) {
                return ending::timed_out;
            } catch (const coir::cancelled&) { return ending::stopped; }
        });
        while (!me.has_come) coir::this_fiber::yield();  // others that run then do no more with the channel
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
        } catch (const coir::channel_closed&) { expect(channel_.is_closed()); }
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

    /// The first value, and that of the first who waits to send moves up.
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
    // The model: values in the channel, and who waits.
    std::deque<int> values_;
    std::deque<party*> senders_;
    std::deque<party*> receivers_;
};

}  // namespace

TEST_CASE("channel: does what a simple model does under random operations, stops and time-outs") {
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

TEST_CASE("channel: a boundless one takes whatever comes, and no memory before") {
    in_scheduler([] {
        coir::channel<int> numbers{std::numeric_limits<std::size_t>::max()};
        for (int i = 0; i < 10'000; ++i) numbers.send(i);
        CHECK(numbers.size() == 10'000);
        for (int i = 0; i < 10'000; ++i) REQUIRE(numbers.recv() == i);
    });
}

TEST_CASE("channel: what nobody received is destroyed with it") {
    const auto value = std::make_shared<int>(1);
    in_scheduler([&] {
        coir::channel<std::shared_ptr<int>> pointers{4};
        for (int i = 0; i < 4; ++i) pointers.send(value);
        CHECK(value.use_count() == 5);
        pointers.recv();
    });
    CHECK(value.use_count() == 1);
}

TEST_CASE("channel: outside its scheduler it throws") {
    coir::channel<int> numbers{1};
    CHECK_THROWS_AS(numbers.send(1), coir::not_in_fiber);
    CHECK_THROWS_AS(numbers.recv(), coir::not_in_fiber);
    in_scheduler([&] {
        numbers.send(1);
        coir::offload([&] {
            CHECK_THROWS_AS((void)numbers.try_recv(), coir::wrong_scheduler);
            CHECK_THROWS_AS(numbers.close(), coir::wrong_scheduler);
            in_scheduler([&] {
                CHECK_THROWS_AS(numbers.send(2), coir::wrong_scheduler);
                CHECK_THROWS_AS(numbers.recv(), coir::wrong_scheduler);
                CHECK_THROWS_AS((void)numbers.try_send(2), coir::wrong_scheduler);
            });
        });
        CHECK(numbers.recv() == 1);
    });
}

TEST_CASE("channel: destroyed with a fiber waiting on it, it says so and aborts") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto numbers = std::make_unique<coir::channel<int>>();
            auto waiting = coir::spawn([&] { numbers->recv(); });
            coir::this_fiber::yield();
            numbers.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("a channel is destroyed while fibers wait on it"));
}
