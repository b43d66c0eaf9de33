#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/channel.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/compute_for.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

using coir::test::compute_for;
using coir::test::in_scheduler;
using namespace std::chrono_literals;

static_assert(std::input_iterator<coir::channel<int>::iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, coir::channel<int>::iterator>);

TEST_CASE("channel: values are received in the order of sending, with every capacity") {
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
        CHECK(numbers.empty());  // the value is still with its sender
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
        CHECK(numbers.size() == 2);  // the third value has moved into the buffer
        third.get();
        CHECK(numbers.recv() == 2);
        CHECK(numbers.recv() == 3);
        CHECK(numbers.empty());
    });
}

TEST_CASE("channel: receivers and senders are each served in the order in which they started to wait") {
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

TEST_CASE("channel: a value handed to a waiting receiver cannot be taken by a later receiver") {
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

TEST_CASE("channel: move-only values work, and a sent lvalue is copied") {
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

TEST_CASE("channel: try_send and try_recv act only if they need not wait") {
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

TEST_CASE("channel: a send that fails does not change the value") {
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

TEST_CASE("channel: values in a closed channel can still be received, then recv returns nothing") {
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

TEST_CASE("channel: close ends all waits") {
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

TEST_CASE("channel: range-for receives until the channel is closed and empty") {
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

TEST_CASE("channel: recv throws timed_out at its deadline, and cancelled after a stop") {
    in_scheduler([] {
        coir::channel<int> empty{1};
        CHECK_THROWS_AS(empty.recv(1ms), coir::timed_out);
        CHECK_THROWS_AS(empty.recv(-1h), coir::timed_out);
        auto stopped = coir::spawn([&] { empty.recv(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(empty.try_send(1));
        CHECK(empty.size() == 1);  // no receiver waits any more
    });
}

TEST_CASE("channel: a receiver that gave up is skipped, and the next one gets the value") {
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

TEST_CASE("channel: a value handed over before a stop, or before the hub noticed the deadline, is received") {
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

TEST_CASE("channel: in the round of its deadline, a receiver gets nothing and a sender keeps its value") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> pointers;
        const coir::deadline first = 2ms;
        auto receiver = coir::spawn([&] { CHECK_THROWS_AS(pointers.recv(first), coir::timed_out); });
        coir::this_fiber::sleep_until(first);  // one poll of the hub wakes both, this fiber first
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

TEST_CASE("channel: a value taken before its sender was stopped counts as sent") {
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

TEST_CASE("channel: a call that need not wait is not a cancellation point") {
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

TEST_CASE("channel: many senders and receivers lose and duplicate nothing") {
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

TEST_CASE("channel: unbounded capacity allocates memory only for actual values") {
    in_scheduler([] {
        coir::channel<int> numbers{std::numeric_limits<std::size_t>::max()};
        for (int i = 0; i < 10'000; ++i) numbers.send(i);
        CHECK(numbers.size() == 10'000);
        for (int i = 0; i < 10'000; ++i) REQUIRE(numbers.recv() == i);
    });
}

TEST_CASE("channel: unreceived values are destroyed with the channel") {
    const auto value = std::make_shared<int>(1);
    in_scheduler([&] {
        coir::channel<std::shared_ptr<int>> pointers{4};
        for (int i = 0; i < 4; ++i) pointers.send(value);
        CHECK(value.use_count() == 5);
        pointers.recv();
    });
    CHECK(value.use_count() == 1);
}

TEST_CASE("channel: outside its scheduler a call throws") {
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

TEST_CASE("channel: destroying it while a fiber waits aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto numbers = std::make_unique<coir::channel<int>>();
            auto waiting = coir::spawn([&] { numbers->recv(); });
            coir::this_fiber::yield();
            numbers.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("channel: destroyed while fibers wait on it"));
}
