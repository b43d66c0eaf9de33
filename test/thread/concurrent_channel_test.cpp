#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/channel.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using coir::concurrent_channel;
using coir::test::in_scheduler;
using coir::test::other_thread;
using namespace std::chrono_literals;

namespace {

/// A thread that runs a scheduler.
template <class F> std::jthread scheduler_thread(F body) {
    return std::jthread{[body = std::move(body)]() mutable { coir::run([&] { body(); }); }};
}

}  // namespace

// ---- one thread ----

TEST_CASE("concurrent_channel: values are received in the order of sending, with every capacity") {
    for (std::size_t capacity : {1U, 2U, 3U, 5U, 8U, 100U}) {
        concurrent_channel<std::size_t> channel{capacity};
        CHECK(channel.capacity() == capacity);
        std::size_t sent = 0;
        std::size_t received = 0;
        for (std::size_t round = 0; round < 50; ++round) {
            while (channel.try_send(sent)) ++sent;
            CHECK(channel.size() == capacity);
            for (std::size_t i = 0; i <= round % capacity; ++i) CHECK(channel.try_recv() == received++);
        }
        while (const auto value = channel.try_recv()) CHECK(*value == received++);
        CHECK(received == sent);
        CHECK(channel.empty());
    }
}

TEST_CASE("concurrent_channel: a capacity of 0 is refused") {
    CHECK_THROWS_AS(concurrent_channel<int>{0}, std::invalid_argument);
}

TEST_CASE("concurrent_channel: after close, sent values are received, then nothing, and send throws") {
    concurrent_channel<int> channel{2};
    channel.send(1);
    channel.close();
    channel.close();
    CHECK(channel.is_closed());
    CHECK_THROWS_AS(channel.send(2), coir::channel_closed);
    CHECK_THROWS_AS(static_cast<void>(channel.try_send(2)), coir::channel_closed);
    CHECK(channel.recv() == 1);
    CHECK(channel.recv() == std::nullopt);
    CHECK(channel.try_recv() == std::nullopt);
}

TEST_CASE("concurrent_channel: move-only values work, and unreceived ones are destroyed with the channel") {
    const auto alive = std::make_shared<int>(1);
    {
        concurrent_channel<std::shared_ptr<int>> channel{4};
        for (int i = 0; i < 3; ++i) channel.send(std::shared_ptr<int>{alive});
        CHECK(alive.use_count() == 4);
        CHECK(channel.recv().value() == alive);
        CHECK(alive.use_count() == 3);
    }
    CHECK(alive.use_count() == 1);
    concurrent_channel<std::unique_ptr<int>> owners{1};
    auto first = std::make_unique<int>(1);
    owners.send(std::move(first));
    auto kept = std::make_unique<int>(2);
    CHECK_FALSE(owners.try_send(std::move(kept)));
    CHECK(kept != nullptr);
}

TEST_CASE("concurrent_channel: waits time out, and a send keeps its value") {
    concurrent_channel<std::unique_ptr<int>> channel{1};
    const auto check = [&] {
        CHECK_THROWS_AS(channel.recv(1ms), coir::timed_out);
        channel.send(std::make_unique<int>(1));
        auto kept = std::make_unique<int>(2);
        CHECK_THROWS_AS(channel.send(std::move(kept), 1ms), coir::timed_out);
        CHECK(*kept == 2);
        CHECK(**channel.recv() == 1);
    };
    check();              // in a plain thread
    in_scheduler(check);  // in a fiber
}

// ---- fibers ----

TEST_CASE("concurrent_channel: fibers of one scheduler send and receive") {
    in_scheduler([] {
        concurrent_channel<int> channel{2};
        auto producer = coir::spawn([&] {
            for (int i = 0; i < 100; ++i) channel.send(i);
            channel.close();
        });
        int expected = 0;
        for (const int value : channel) CHECK(value == expected++);
        CHECK(expected == 100);
        producer.get();
    });
}

TEST_CASE("concurrent_channel: a waiting fiber lets others run") {
    in_scheduler([] {
        concurrent_channel<int> channel{1};
        int turns = 0;
        auto other = coir::spawn([&] {
            while (turns < 10) {
                ++turns;
                coir::this_fiber::yield();
            }
            coir::offload([&] { channel.send(1); });
        });
        CHECK(channel.recv() == 1);
        CHECK(turns == 10);
        other.get();
    });
}

TEST_CASE("concurrent_channel: a stop ends the wait of a fiber, and no value is lost") {
    in_scheduler([] {
        concurrent_channel<int> channel{1};
        auto receiver = coir::spawn([&] { channel.recv(); });
        coir::this_fiber::yield();
        receiver.request_stop();
        CHECK_THROWS_AS(receiver.get(), coir::fiber_stopped);
        channel.send(1);
        auto sender = coir::spawn([&] { channel.send(2); });
        coir::this_fiber::yield();
        sender.request_stop();
        CHECK_THROWS_AS(sender.get(), coir::fiber_stopped);
        CHECK(channel.recv() == 1);
        CHECK(channel.try_recv() == std::nullopt);
    });
}

TEST_CASE(
    "concurrent_channel: a value that arrives at the same time as a stop is received, or left for the next receiver") {
    in_scheduler([] {
        for (int round = 0; round < 300; ++round) {
            concurrent_channel<int> channel{1};
            std::optional<int> got;
            auto receiver = coir::spawn([&] { got = channel.recv(); });
            coir::this_fiber::yield();
            auto sender = coir::spawn([&] { coir::offload([&] { channel.send(round); }); });
            if (round % 2 == 0) coir::this_fiber::yield();
            receiver.request_stop();
            receiver.join();
            sender.get();
            if (!got) got = channel.try_recv();
            CHECK(got == round);
        }
    });
}

TEST_CASE("concurrent_channel: close ends all waits, of fibers and of threads") {
    in_scheduler([] {
        concurrent_channel<int> empty{1};
        concurrent_channel<int> full{1};
        full.send(1);
        int ended = 0;
        coir::task_group group;
        for (int i = 0; i < 3; ++i) {
            group.spawn([&] {
                CHECK(empty.recv() == std::nullopt);
                ++ended;
            });
            group.spawn([&] {
                CHECK_THROWS_AS(full.send(2), coir::channel_closed);
                ++ended;
            });
            group.spawn([&] { CHECK(coir::offload([&] { return empty.recv(); }) == std::nullopt); });
        }
        coir::this_fiber::sleep_for(1ms);
        empty.close();
        full.close();
        group.wait();
        CHECK(ended == 6);
        CHECK(full.recv() == 1);
    });
}

TEST_CASE("concurrent_channel: destroying it while a thread or fiber waits aborts with a message") {
    const auto end = coir::test::in_child([] {
        in_scheduler([] {
            auto channel = std::make_unique<concurrent_channel<int>>(1);
            coir::spawn([&] { channel->recv(); }).detach();
            coir::this_fiber::yield();
            channel.reset();
        });
    });
    CHECK(end.died());
    CHECK(end.says("destroyed while a fiber or thread waits on it"));
}

// ---- threads ----

TEST_CASE("concurrent_channel: many senders and receivers lose, duplicate and reorder nothing") {
    constexpr int fibers = 2;
    constexpr std::uint64_t each = coir::test::sanitized ? 2'000 : 20'000;
    for (std::size_t capacity : {1U, 3U, 64U}) {
        concurrent_channel<std::uint64_t> channel{capacity};
        std::array<std::atomic<std::uint64_t>, 6> received{};
        std::atomic<std::uint64_t> sum{0};
        std::atomic<bool> ordered{true};
        const auto send = [&](std::uint64_t sender) {
            for (std::uint64_t i = 1; i <= each; ++i) channel.send(sender << 32 | i);
        };
        const auto receive = [&] {
            std::array<std::uint64_t, 6> last{};
            for (const std::uint64_t value : channel) {
                const std::uint64_t sender = value >> 32;
                const std::uint64_t number = value & 0xffffffff;
                if (number <= last[sender]) ordered = false;
                last[sender] = number;
                ++received[sender];
                sum += number;
            }
        };
        {
            std::vector<std::jthread> receivers;
            receivers.emplace_back(receive);
            receivers.push_back(scheduler_thread([&] {
                coir::task_group group;
                for (int i = 0; i < fibers; ++i) group.spawn(receive);
                group.wait();
            }));
            std::vector<std::jthread> senders;
            senders.emplace_back(send, 0U);
            senders.emplace_back(send, 1U);
            for (std::uint64_t first : {2U, 4U}) {
                senders.push_back(scheduler_thread([&, first] {
                    coir::task_group group;
                    for (int i = 0; i < fibers; ++i) group.spawn(send, first + static_cast<std::uint64_t>(i));
                    group.wait();
                }));
            }
            senders.clear();
            channel.close();
        }
        CHECK(ordered);
        for (const auto& count : received) CHECK(count == each);
        CHECK(sum == 6 * (each * (each + 1) / 2));
    }
}

TEST_CASE("concurrent_channel: a value sent during close is either received or refused") {
    for (int round = 0; round < 100; ++round) {
        concurrent_channel<int> channel{3};
        std::atomic<int> sent{0};
        std::atomic<int> received{0};
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 2; ++i) {
                threads.emplace_back([&] {
                    try {
                        for (;;) {
                            channel.send(1);
                            ++sent;
                        }
                    } catch (const coir::channel_closed&) {
                    }
                });
                threads.emplace_back([&] {
                    while (channel.recv()) ++received;
                });
            }
            while (received < 10) std::this_thread::yield();
            channel.close();
        }
        CHECK(sent == received);
    }
}

// ---- select ----

TEST_CASE("select: receives from and sends to channels of several threads") {
    in_scheduler([] {
        concurrent_channel<int> in{1};
        concurrent_channel<int> out{1};
        CHECK(coir::select(coir::on_recv(in, [](std::optional<int>) { return 1; }),
                           coir::otherwise([] { return 2; })) == 2);
        in.send(1);
        CHECK(coir::select(coir::on_recv(in, [](std::optional<int> value) { return value.value_or(0); }),
                           coir::otherwise([] { return 2; })) == 1);
        coir::select(coir::on_recv(in, [](std::optional<int>) {}), coir::on_send(out, 5, [] {}));
        CHECK(out.recv() == 5);
        out.send(0);
        CHECK(coir::select(coir::on_send(out, 6, [] { return false; }), coir::on_timeout(1ms, [] { return true; })));
        in.close();
        CHECK(coir::select(coir::on_recv(in, [](std::optional<int> value) { return !value; }),
                           coir::on_timeout(1h, [] { return false; })));
        out.close();
        CHECK_THROWS_AS(coir::select(coir::on_send(out, 6, [] {})), coir::channel_closed);
    });
}

TEST_CASE("select: waits for channels of several threads and of its own scheduler at the same time") {
    in_scheduler([] {
        concurrent_channel<int> shared{1};
        coir::channel<int> own;
        const auto first = [&] {
            return coir::select(coir::on_recv(shared, [](std::optional<int> value) { return value.value(); }),
                                coir::on_recv(own, [](std::optional<int> value) { return -value.value(); }));
        };
        auto from_own = coir::spawn([&] { own.send(2); });
        CHECK(first() == -2);
        from_own.get();
        auto from_a_thread = coir::spawn([&] { coir::offload([&] { shared.send(3); }); });
        CHECK(first() == 3);
        from_a_thread.get();
        CHECK(shared.try_send(4));  // the select left no waiter behind
        CHECK(first() == 4);
    });
}

TEST_CASE("select: values that arrive in two channels at the same time are both received, by successive selects") {
    in_scheduler([] {
        constexpr int each = coir::test::sanitized ? 500 : 5'000;
        concurrent_channel<int> left{1};
        concurrent_channel<int> right{2};
        coir::channel<int> never_sent;
        const auto send = [](concurrent_channel<int>& to) {
            for (int i = 1; i <= each; ++i) to.send(i);
        };
        const other_thread first{[&] { send(left); }};
        const other_thread second{[&] { send(right); }};
        int last_left = 0;
        int last_right = 0;
        coir::task_group readers;
        for (int i = 0; i < 2; ++i) {
            readers.spawn([&] {
                while (last_left < each || last_right < each) {
                    coir::select(
                        coir::on_recv(left, [&](std::optional<int> value) { last_left = std::max(last_left, *value); }),
                        coir::on_recv(right,
                                      [&](std::optional<int> value) { last_right = std::max(last_right, *value); }),
                        coir::on_recv(never_sent, [](std::optional<int>) {}), coir::on_timeout(1ms, [] {}));
                }
            });
        }
        readers.wait();
        CHECK(last_left == each);
        CHECK(last_right == each);
    });
}

TEST_CASE("select: a stop during a wait for channels of several threads loses no value") {
    in_scheduler([] {
        for (int round = 0; round < 300; ++round) {
            concurrent_channel<int> one{1};
            concurrent_channel<int> two{1};
            std::optional<int> got;
            auto selects = coir::spawn([&] {
                const auto keep = [&](std::optional<int> value) { got = value; };
                coir::select(coir::on_recv(one, keep), coir::on_recv(two, keep));
            });
            coir::this_fiber::yield();
            auto sender = coir::spawn([&] { coir::offload([&] { (round % 3 == 0 ? one : two).send(round); }); });
            if (round % 2 == 0) coir::this_fiber::yield();
            selects.request_stop();
            selects.join();
            sender.get();
            if (!got) got = (round % 3 == 0 ? one : two).try_recv();
            CHECK(got == round);
        }
    });
}
