#include <coir/dump.hpp>
#include <coir/error.hpp>
#include <coir/sync/event.hpp>
#include <coir/sync/select.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "core/scheduler.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using coir::on_done;
using coir::on_recv;
using coir::on_send;
using coir::on_timeout;
using coir::otherwise;
using coir::test::error_of;
using coir::test::in_scheduler;
using coir::test::virtual_time;
using namespace std::chrono_literals;

namespace {

const auto nothing = [] {};
const auto ignore = [](auto&&) {};

/// A handler that returns `what`, whatever its argument.
auto says(std::string what) {
    return [what](auto&&...) { return what; };
}

int value_of(std::optional<int> number) { return number.value_or(-1); }

}  // namespace

// ---- each kind of case ----

TEST_CASE("select: receives an available value, from the channel or from a waiting sender") {
    in_scheduler([] {
        coir::channel<int> buffered{1};
        buffered.send(1);
        CHECK(coir::select(on_recv(buffered, value_of)) == 1);
        CHECK(buffered.empty());

        coir::channel<int> rendezvous;
        auto sender = coir::spawn([&] { rendezvous.send(2); });
        coir::this_fiber::yield();
        CHECK(coir::select(on_recv(rendezvous, value_of)) == 2);
        sender.get();
    });
}

TEST_CASE("select: waits for a value if there is none") {
    in_scheduler([] {
        coir::channel<int> numbers;
        auto receiver = coir::spawn([&] { return coir::select(on_recv(numbers, value_of)); });
        coir::this_fiber::yield();
        CHECK_FALSE(receiver.done());
        numbers.send(1);
        CHECK(receiver.get() == 1);
    });
}

TEST_CASE("select: sends a value at once if the channel has space or a receiver waits") {
    in_scheduler([] {
        coir::channel<int> buffered{1};
        CHECK(coir::select(on_send(buffered, 1, says("sent"))) == "sent");
        CHECK(buffered.recv() == 1);

        coir::channel<int> rendezvous;
        auto receiver = coir::spawn([&] { return rendezvous.recv(); });
        coir::this_fiber::yield();
        CHECK(coir::select(on_send(rendezvous, 2, says("sent"))) == "sent");
        CHECK(receiver.get() == 2);
    });
}

TEST_CASE("select: a value that no receiver takes yet waits with its sender") {
    in_scheduler([] {
        coir::channel<int> rendezvous;
        coir::channel<int> full{1};
        full.send(1);
        auto first = coir::spawn([&] { coir::select(on_send(rendezvous, 2, nothing)); });
        auto second = coir::spawn([&] { coir::select(on_send(full, 3, nothing)); });
        coir::this_fiber::yield();
        CHECK_FALSE(first.done());
        CHECK_FALSE(second.done());
        CHECK(rendezvous.recv() == 2);
        CHECK(full.recv() == 1);
        CHECK(full.recv() == 3);
        first.get();
        second.get();
    });
}

TEST_CASE("select: a timeout ends the wait if no other case becomes ready") {
    in_scheduler(virtual_time, [] {
        coir::channel<int> numbers;
        const auto began = coir::clock::now();
        CHECK(coir::select(on_recv(numbers, says("received")), on_timeout(1h, says("late"))) == "late");
        CHECK(coir::clock::now() - began >= 1h);
        CHECK_FALSE(numbers.try_send(1));  // no receiver waits any more
    });
}

TEST_CASE("select: of several timeouts the earliest counts, and `never` does not count") {
    in_scheduler(virtual_time, [] {
        CHECK(coir::select(on_timeout(2h, says("second")), on_timeout(coir::never, says("never")),
                           on_timeout(1h, says("first"))) == "first");
        CHECK(coir::select(on_timeout(-1h, says("later")),
                           on_timeout(coir::deadline{coir::clock::time_point{}}, says("first"))) == "first");
    });
}

TEST_CASE("select: a timeout that has passed fires at once, but other ready cases come first") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        bool others_ran = false;
        auto other = coir::spawn([&] { others_ran = true; });
        CHECK(coir::select(on_recv(numbers, says("received")), on_timeout(-1s, says("late")),
                           otherwise(says("otherwise"))) == "late");
        CHECK_FALSE(others_ran);
        for (int i = 0; i < 100; ++i) {
            numbers.send(i);
            CHECK(coir::select(on_timeout(-1s, says("late")), on_recv(numbers, says("received"))) == "received");
        }
        other.get();
    });
}

TEST_CASE("select: the end of a fiber is a case, whether it returned, threw or was stopped") {
    in_scheduler([] {
        auto returns = coir::spawn([] { return 1; });
        auto fails = coir::spawn([]() -> int { throw std::runtime_error{"failed"}; });
        auto stopped = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        CHECK(coir::select(on_done(returns, [&] { return returns.get(); })) == 1);
        CHECK_THROWS_WITH(coir::select(on_done(fails, [&] { return fails.get(); })), "failed");
        auto stops = coir::spawn([&] { stopped.request_stop(); });
        CHECK_THROWS_AS(coir::select(on_done(stopped, [&] { stopped.get(); })), coir::fiber_stopped);
        stops.get();

        auto ended = coir::spawn([] { return 2; });
        coir::this_fiber::yield();
        CHECK(ended.done());
        CHECK(coir::select(on_done(ended, [&] { return ended.get(); }), otherwise([] { return 0; })) == 2);
    });
}

TEST_CASE("select: a fiber that is still running after the select can be joined") {
    in_scheduler([] {
        coir::event finish;
        auto worker = coir::spawn([&] {
            finish.wait();
            return 1;
        });
        CHECK(coir::select(on_done(worker, says("done")), on_timeout(1ms, says("late"))) == "late");
        CHECK(coir::select(on_done(worker, says("done")), otherwise(says("not yet"))) == "not yet");
        finish.set();
        CHECK(worker.get() == 1);
    });
}

TEST_CASE("select: otherwise runs if no case is ready, without a suspension") {
    in_scheduler([] {
        coir::channel<int> empty;
        bool others_ran = false;
        auto other = coir::spawn([&] { others_ran = true; });
        CHECK(coir::select(on_recv(empty, says("received")), on_send(empty, 1, says("sent")),
                           on_done(other, says("done")), on_timeout(1h, says("late")),
                           otherwise(says("otherwise"))) == "otherwise");
        CHECK(coir::select(otherwise(says("alone"))) == "alone");
        CHECK_FALSE(others_ran);
        other.get();

        coir::channel<int> ready{1};
        ready.send(1);
        CHECK(coir::select(otherwise(says("otherwise")), on_recv(ready, says("received"))) == "received");
    });
}

// ---- results ----

TEST_CASE("select: returns the handler's result, also a reference or void, and throws its exception") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        int here = 0;
        int& given = coir::select(on_send(numbers, 1, [&]() -> int& { return here; }));
        CHECK(&given == &here);
        static_assert(std::is_void_v<decltype(coir::select(on_recv(numbers, ignore), otherwise(nothing)))>);
        const auto fails = [](std::optional<int>) { throw std::runtime_error{"handler"}; };
        CHECK_THROWS_WITH(coir::select(on_recv(numbers, fails)), "handler");
        CHECK(numbers.empty());  // received, in spite of the exception
    });
}

TEST_CASE("select: move-only values and handlers work") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> pointers{1};
        coir::select(
            on_send(pointers, std::make_unique<int>(1), [own = std::make_unique<int>(2)] { CHECK(*own == 2); }));
        const auto taken = coir::select(on_recv(pointers, [](auto pointer) { return std::move(*pointer); }));
        CHECK(*taken == 1);

        auto sender = coir::spawn([&] { coir::select(on_send(pointers, std::make_unique<int>(3), nothing)); });
        auto waiting =
            coir::spawn([&] { return coir::select(on_recv(pointers, [](auto p) { return *std::move(p); })); });
        CHECK(*waiting.get() == 3);
        sender.get();
    });
}

TEST_CASE("select: the value of a case that did not win is destroyed with it, and was not sent") {
    in_scheduler([] {
        coir::channel<std::shared_ptr<int>> nobody;
        coir::channel<int> ready{1};
        ready.send(1);
        const auto value = std::make_shared<int>(1);
        coir::select(on_send(nobody, value, nothing), on_recv(ready, ignore));
        coir::select(on_send(nobody, value, nothing), on_timeout(1ms, nothing));
        CHECK(value.use_count() == 1);
        CHECK_FALSE(nobody.try_recv().has_value());
    });
}

TEST_CASE("select: works with one case and with 16 cases") {
    in_scheduler([] {
        std::array<coir::channel<int>, 15> numbers;
        const auto first_of_all = [&]<std::size_t... I>(std::index_sequence<I...>) {
            return coir::select(
                on_recv(numbers[I], [](std::optional<int> n) { return *n * 100 + static_cast<int>(I); })...,
                on_timeout(1h, [] { return -1; }));
        };
        for (int i = 0; i < 15; ++i) {
            auto selecting = coir::spawn([&] { return first_of_all(std::make_index_sequence<15>{}); });
            coir::this_fiber::yield();
            numbers[static_cast<std::size_t>(i)].send(i);
            CHECK(selecting.get() == i * 101);
        }
    });
}

// ---- fairness ----

TEST_CASE("select: each ready case wins about equally often") {
    in_scheduler([] {
        coir::channel<int> a{1};
        coir::channel<int> b{1};
        coir::channel<int> room{1000};
        auto ended = coir::spawn(nothing);
        coir::this_fiber::yield();
        std::array<int, 4> chosen{};
        for (int round = 0; round < 1000; ++round) {
            if (a.empty()) a.send(round);
            if (b.empty()) b.send(round);
            coir::select(on_recv(a, [&](auto) { ++chosen[0]; }), on_recv(b, [&](auto) { ++chosen[1]; }),
                         on_send(room, round, [&] { ++chosen[2]; }), on_done(ended, [&] { ++chosen[3]; }));
        }
        for (const int times : chosen) CHECK(times >= 200);
        CHECK(std::accumulate(chosen.begin(), chosen.end(), 0) == 1000);

        std::array<int, 2> of_two{};
        for (int round = 0; round < 1000; ++round) {
            if (a.empty()) a.send(round);
            if (b.empty()) b.send(round);
            coir::select(on_recv(a, [&](auto) { ++of_two[0]; }), on_recv(b, [&](auto) { ++of_two[1]; }));
        }
        for (const int times : of_two) CHECK(times >= 400);
    });
}

TEST_CASE("select: of several waiting cases of one channel each is served about equally often") {
    in_scheduler([] {
        coir::channel<int> numbers;
        std::array<int, 3> chosen{};
        auto receiver = coir::spawn([&] {
            for (int i = 0; i < 900; ++i) {
                coir::this_fiber::yield();
                ++chosen[static_cast<std::size_t>(*numbers.recv())];
            }
        });
        for (int i = 0; i < 900; ++i) {
            coir::select(on_send(numbers, 0, nothing), on_send(numbers, 1, nothing), on_send(numbers, 2, nothing));
        }
        receiver.get();
        for (const int times : chosen) CHECK(times >= 200);

        std::array<int, 2> received{};
        auto sender = coir::spawn([&] {
            for (int i = 0; i < 1000; ++i) {
                coir::this_fiber::yield();
                numbers.send(i);
            }
        });
        for (int i = 0; i < 1000; ++i) {
            coir::select(on_recv(numbers, [&](auto) { ++received[0]; }),
                         on_recv(numbers, [&](auto) { ++received[1]; }));
        }
        for (const int times : received) CHECK(times >= 350);
    });
}

TEST_CASE("select: with a seed, the choices are the same in each run") {
    const auto choices = [](std::uint64_t seed) {
        return in_scheduler({.seed = seed}, [] {
            coir::channel<int> room{1000};
            std::string chosen;
            for (int i = 0; i < 100; ++i) {
                coir::select(on_send(room, 1, [&] { chosen += 'a'; }), on_send(room, 2, [&] { chosen += 'b'; }));
            }
            return chosen;
        });
    };
    CHECK(choices(1) == choices(1));
    CHECK(choices(1) != choices(2));
}

TEST_CASE("select: waiters at a channel are served in order, with and without select") {
    in_scheduler([] {
        coir::channel<int> numbers;
        coir::channel<int> other;
        auto first = coir::spawn([&] { return coir::select(on_recv(other, value_of), on_recv(numbers, value_of)); });
        auto second = coir::spawn([&] { return *numbers.recv(); });
        auto third = coir::spawn([&] { return coir::select(on_recv(numbers, value_of), on_recv(other, value_of)); });
        coir::this_fiber::yield();
        for (int i = 1; i <= 3; ++i) numbers.send(i);
        CHECK(first.get() == 1);
        CHECK(second.get() == 2);
        CHECK(third.get() == 3);
    });
}

// ---- several at the same time ----

TEST_CASE("select: two selects meet at a rendezvous") {
    in_scheduler([] {
        coir::channel<int> here;
        coir::channel<int> there;
        auto sender =
            coir::spawn([&] { return coir::select(on_send(here, 1, says("here")), on_send(there, 2, says("there"))); });
        auto receiver =
            coir::spawn([&] { return coir::select(on_recv(there, value_of), on_timeout(1h, [] { return 0; })); });
        CHECK(receiver.get() == 2);
        CHECK(sender.get() == "there");
        CHECK_FALSE(here.try_recv().has_value());
    });
}

TEST_CASE("select: does not rendezvous with itself, but with another select with the same two cases") {
    in_scheduler([] {
        coir::channel<int> numbers;
        const auto both = [&](int mine) {
            return coir::select(on_send(numbers, mine, [] { return 0; }), on_recv(numbers, value_of));
        };
        CHECK(coir::select(on_send(numbers, 1, says("sent")), on_recv(numbers, says("received")),
                           on_timeout(1ms, says("late"))) == "late");
        auto one = coir::spawn(both, 1);
        for (int i = 0; i < 5; ++i) coir::this_fiber::yield();
        CHECK_FALSE(one.done());
        auto two = coir::spawn(both, 2);
        CHECK(one.get() + two.get() > 0);
        CHECK_FALSE(numbers.try_send(3));
        CHECK_FALSE(numbers.try_recv().has_value());
    });
}

TEST_CASE("select: may have several cases for one channel") {
    in_scheduler([] {
        coir::channel<int> numbers;
        auto receiver =
            coir::spawn([&] { return coir::select(on_recv(numbers, value_of), on_recv(numbers, value_of)); });
        coir::this_fiber::yield();
        CHECK(numbers.try_send(1));
        CHECK_FALSE(numbers.try_send(2));
        CHECK(receiver.get() == 1);
    });
}

TEST_CASE("select: once one case has won, the others cannot win any more, even before the fiber runs") {
    in_scheduler([] {
        coir::channel<int> wins;
        coir::channel<int> loses;
        coir::event finish;
        auto worker = coir::spawn([&] { finish.wait(); });
        auto selecting = coir::spawn([&] {
            return coir::select(on_recv(wins, value_of), on_recv(loses, value_of), on_send(loses, 7, [] { return 7; }),
                                on_done(worker, [] { return 8; }));
        });
        coir::this_fiber::yield();
        CHECK(wins.try_send(1));
        CHECK_FALSE(wins.try_send(2));
        CHECK_FALSE(loses.try_send(3));
        CHECK_FALSE(loses.try_recv().has_value());
        loses.close();
        finish.set();
        worker.join();  // no other fiber joins it any more
        CHECK(selecting.get() == 1);
    });
}

TEST_CASE("select: when a case has won, the fiber of another case may be detached and end before the select returns") {
    in_scheduler([] {
        coir::channel<int> numbers;
        auto worker = coir::spawn([] { coir::this_fiber::yield(); });
        auto selecting =
            coir::spawn([&] { return coir::select(on_done(worker, [] { return 0; }), on_recv(numbers, value_of)); });
        coir::this_fiber::yield();
        numbers.send(1);
        worker.detach();
        CHECK(selecting.get() == 1);

        coir::channel<int> more;
        auto stopped = std::make_unique<coir::fiber<void>>(coir::spawn([] { coir::this_fiber::sleep_for(1h); }));
        auto waiting =
            coir::spawn([&] { return coir::select(on_done(*stopped, [] { return 0; }), on_recv(more, value_of)); });
        coir::this_fiber::yield();
        more.send(2);
        stopped.reset();
        CHECK(waiting.get() == 2);
    });
}

TEST_CASE("select: of two senders in the same round one is received from, and the other keeps its value") {
    in_scheduler([] {
        coir::channel<int> a;
        coir::channel<int> b;
        auto selecting = coir::spawn([&] { return coir::select(on_recv(a, value_of), on_recv(b, value_of)); });
        auto first = coir::spawn([&] { return a.try_send(1); });
        auto second = coir::spawn([&] { return b.try_send(2); });
        CHECK(selecting.get() == 1);
        CHECK(first.get());
        CHECK_FALSE(second.get());
    });
}

TEST_CASE("select: serves two channels until both are closed") {
    in_scheduler([] {
        coir::channel<int> numbers;
        coir::channel<std::string> words{2};
        auto counts = coir::spawn([&] {
            for (int i = 1; i <= 100; ++i) numbers.send(i);
            numbers.close();
        });
        auto speaks = coir::spawn([&] {
            for (int i = 0; i < 50; ++i) words.send("w");
            words.close();
        });
        int sum = 0;
        std::string text;
        const auto add = [&](std::optional<int> number) {
            sum += number.value_or(0);
            return number.has_value();
        };
        const auto append = [&](std::optional<std::string> word) {
            text += word.value_or("");
            return word.has_value();
        };
        while (coir::select(on_recv(numbers, add), on_recv(words, append))) {
        }
        for (const int number : numbers) add(number);  // one is closed; receive the rest of the other
        for (const auto& word : words) append(word);
        CHECK(sum == 5050);
        CHECK(text == std::string(50, 'w'));
        counts.get();
        speaks.get();
    });
}

// ---- closing ----

TEST_CASE("select: a closed channel returns its remaining values, and then is ready without a value") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        numbers.send(1);
        numbers.close();
        CHECK(coir::select(on_recv(numbers, value_of), otherwise([] { return 0; })) == 1);
        CHECK(coir::select(on_recv(numbers, value_of), otherwise([] { return 0; })) == -1);
    });
}

TEST_CASE("select: closing a channel ends the wait of its cases: receives get nothing, and sends throw") {
    in_scheduler([] {
        coir::channel<int> numbers;
        coir::channel<int> other;
        auto receiver = coir::spawn([&] { return coir::select(on_recv(other, value_of), on_recv(numbers, value_of)); });
        auto sender = coir::spawn([&] {
            const auto value = std::make_shared<int>(1);
            coir::channel<std::shared_ptr<int>> pointers;
            auto closes = coir::spawn([&] { pointers.close(); });
            CHECK_THROWS_AS(coir::select(on_send(pointers, value, nothing), on_recv(other, ignore)),
                            coir::channel_closed);
            CHECK(value.use_count() == 1);
            closes.get();
        });
        coir::this_fiber::yield();
        numbers.close();
        CHECK(receiver.get() == -1);
        sender.get();
        CHECK_FALSE(other.try_send(1));
    });
}

TEST_CASE("select: sending on a closed channel throws, even if another case is ready") {
    in_scheduler([] {
        coir::channel<int> closed{1};
        closed.close();
        CHECK_THROWS_AS(coir::select(on_send(closed, 1, nothing), otherwise(nothing)), coir::channel_closed);
    });
}

// ---- stops and timeouts ----

TEST_CASE("select: a stop during the wait throws, and nothing was received or sent") {
    in_scheduler([] {
        coir::channel<int> to;
        coir::channel<int> from;
        auto worker = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        auto stopped = coir::spawn([&] {
            coir::select(on_send(to, 1, nothing), on_recv(from, ignore), on_done(worker, nothing),
                         on_timeout(1h, nothing));
        });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_FALSE(from.try_send(2));
        CHECK_FALSE(to.try_recv().has_value());
        CHECK(worker.wait_for(0s) == std::future_status::timeout);  // no other fiber joins it
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

TEST_CASE("select: a scope that expires ends the wait, and nothing was received or sent") {
    in_scheduler(virtual_time, [] {
        coir::channel<int> to;
        coir::channel<int> from;
        CHECK_FALSE(coir::try_with_timeout(
            1h, [&] { coir::select(on_send(to, 1, nothing), on_recv(from, ignore), on_timeout(2h, nothing)); }));
        CHECK_FALSE(from.try_send(2));
        CHECK_FALSE(to.try_recv().has_value());
    });
}

TEST_CASE("select: a call that need not wait is not a cancellation point") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        auto stopped = coir::spawn([&] {
            CHECK_THROWS_AS(coir::this_fiber::yield(), coir::cancelled);
            coir::select(on_send(numbers, 1, nothing));
            coir::select(on_send(numbers, 2, nothing), otherwise(nothing));
            coir::select(on_send(numbers, 3, nothing), on_timeout(-1s, nothing));
            CHECK_THROWS_AS(coir::select(on_send(numbers, 4, nothing)), coir::cancelled);
            return numbers.recv();
        });
        stopped.request_stop();
        CHECK(stopped.get() == 1);
    });
}

TEST_CASE("select: a value handed over before a stop, or before the hub noticed the deadline, is received or sent") {
    in_scheduler(virtual_time, [] {
        coir::channel<int> numbers;
        auto receiver = coir::spawn([&] { return coir::select(on_recv(numbers, value_of)); });
        auto sender = coir::spawn([&] { return coir::select(on_send(numbers, 2, says("sent"))); });
        CHECK(receiver.get() == 2);
        CHECK(sender.get() == "sent");

        auto takes = coir::spawn([&] { return coir::select(on_recv(numbers, value_of)); });
        coir::this_fiber::yield();
        numbers.send(3);
        takes.request_stop();
        CHECK(takes.get() == 3);
        auto gives = coir::spawn([&] { return coir::select(on_send(numbers, 4, says("sent"))); });
        coir::this_fiber::yield();
        CHECK(numbers.recv() == 4);
        gives.request_stop();
        CHECK(gives.get() == "sent");
    });
}

TEST_CASE("select: in the round of its timeout, nothing is received or sent") {
    in_scheduler(virtual_time, [] {
        coir::channel<int> to;
        coir::channel<int> from;
        const coir::deadline at = 1h;
        auto late = coir::spawn([&] {
            return coir::select(on_send(to, 1, says("sent")), on_recv(from, says("received")),
                                on_timeout(at, says("late")));
        });
        coir::this_fiber::sleep_until(at);  // one poll of the hub wakes both, this fiber first
        CHECK_FALSE(late.done());
        CHECK_FALSE(from.try_send(2));
        CHECK_FALSE(to.try_recv().has_value());
        CHECK(late.get() == "late");
    });
}

// ---- misuse ----

TEST_CASE("select: on_done throws the same errors as join: empty handle, own handle, second joiner") {
    in_scheduler([] {
        coir::fiber<void> none;
        CHECK(error_of([&] { coir::select(on_done(none, nothing), otherwise(nothing)); }) ==
              std::errc::invalid_argument);

        coir::fiber<void> self;
        self = coir::spawn([&] {
            CHECK(error_of([&] { coir::select(on_done(self, nothing)); }) == std::errc::resource_deadlock_would_occur);
        });
        coir::this_fiber::yield();
        self.get();

        auto worker = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        auto joins = coir::spawn([&] { worker.join(); });
        coir::this_fiber::yield();
        coir::channel<int> numbers;
        CHECK(error_of([&] { coir::select(on_recv(numbers, ignore), on_done(worker, nothing)); }) ==
              std::errc::operation_not_permitted);
        CHECK_FALSE(numbers.try_send(1));
        joins.request_stop();
        joins.join();
        CHECK(error_of([&] { coir::select(on_done(worker, nothing), on_done(worker, nothing)); }) ==
              std::errc::operation_not_permitted);

        auto selects = coir::spawn([&] { coir::select(on_done(worker, nothing)); });
        coir::this_fiber::yield();
        CHECK(error_of([&] { worker.join(); }) == std::errc::operation_not_permitted);
        worker.request_stop();
        selects.get();
    });
}

TEST_CASE("select: outside its scheduler it throws") {
    coir::channel<int> numbers{1};
    CHECK_THROWS_AS(coir::select(on_recv(numbers, ignore)), coir::not_in_fiber);
    CHECK_THROWS_AS(coir::select(otherwise(nothing)), coir::not_in_fiber);
    in_scheduler([&] {
        numbers.send(1);
        auto worker = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
        coir::this_fiber::yield();  // now it sleeps, and the other thread finds it in this state
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(coir::select(on_recv(numbers, ignore), otherwise(nothing)), coir::wrong_scheduler);
                CHECK_THROWS_AS(coir::select(on_send(numbers, 2, nothing), otherwise(nothing)), coir::wrong_scheduler);
                CHECK_THROWS_AS(coir::select(on_done(worker, nothing), otherwise(nothing)), coir::wrong_scheduler);
            });
        });
        CHECK(numbers.recv() == 1);
    });
}

TEST_CASE("select: a dump names select as the wait") {
    in_scheduler([] {
        coir::channel<int> numbers;
        auto waiting = coir::spawn({.name = "waiting"}, [&] { coir::select(on_recv(numbers, ignore)); });
        coir::this_fiber::yield();
        std::ostringstream dump;
        coir::dump_fibers(dump);
        CHECK(dump.str().find("\"waiting\": parked on select") != std::string::npos);
        numbers.send(1);
        waiting.get();
    });
}

TEST_CASE("select: destroying a channel while a select waits on it aborts with a message") {
    const auto ending = coir::test::in_child([] {
        in_scheduler([] {
            auto numbers = std::make_unique<coir::channel<int>>();
            auto waiting = coir::spawn([&] { coir::select(on_recv(*numbers, ignore), on_timeout(1h, nothing)); });
            coir::this_fiber::yield();
            numbers.reset();
        });
    });
    CHECK(ending.died());
    CHECK(ending.says("channel: destroyed while fibers wait on it"));
}
