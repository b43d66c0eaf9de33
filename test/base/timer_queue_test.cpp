#include "base/timer_queue.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <vector>

using coir::detail::timer_node;
using coir::detail::timer_queue;

namespace {

struct timer : timer_node {
    explicit timer(std::int64_t when, int which = 0) : timer_node{when, nullptr}, number{which} {}
    int number;
};

constexpr auto end_of_time = std::numeric_limits<std::int64_t>::max();

std::vector<int> numbers_until(timer_queue& queue, std::int64_t now) {
    std::vector<int> popped;
    while (timer_node* const due = queue.pop(now)) popped.push_back(static_cast<timer*>(due)->number);
    return popped;
}

/// The straightforward reference implementation: ordered by time, then by insertion.
class model {
public:
    void push(timer& added) { by_time_.emplace(added.at, &added); }

    void remove(timer& gone) {
        const auto found =
            std::find_if(by_time_.begin(), by_time_.end(), [&](auto& each) { return each.second == &gone; });
        REQUIRE(found != by_time_.end());
        by_time_.erase(found);
    }

    timer* pop(std::int64_t now) {
        if (by_time_.empty() || by_time_.begin()->first > now) return nullptr;
        timer* const first = by_time_.begin()->second;
        by_time_.erase(by_time_.begin());
        return first;
    }

    [[nodiscard]] bool empty() const { return by_time_.empty(); }
    [[nodiscard]] std::size_t size() const { return by_time_.size(); }
    [[nodiscard]] std::int64_t first() const { return by_time_.begin()->first; }
    [[nodiscard]] timer& at(std::size_t index) const {
        return *std::next(by_time_.begin(), static_cast<std::ptrdiff_t>(index))->second;
    }

private:
    std::multimap<std::int64_t, timer*> by_time_;  // equal keys keep the order of insertion
};

}  // namespace

TEST_CASE("timer_queue: a new queue is empty") {
    timer_queue queue;
    CHECK(queue.empty());
    CHECK(queue.pop(end_of_time) == nullptr);
}

TEST_CASE("timer_queue: timers expire in the order of their time, whatever the order of insertion") {
    timer_queue queue;
    timer late{3'000'000'000, 3}, early{1, 1}, middle{1'000'000, 2}, never_soon{end_of_time - 1, 4};
    for (timer* each : {&late, &early, &never_soon, &middle}) queue.push(*each);
    CHECK(numbers_until(queue, end_of_time) == std::vector{1, 2, 3, 4});
    CHECK(queue.empty());
}

TEST_CASE("timer_queue: timers with the same time expire in the order of insertion") {
    timer_queue queue;
    std::deque<timer> crowd;
    std::vector<int> expected;
    for (int i = 0; i < 1000; ++i) {
        queue.push(crowd.emplace_back(123'456'789, i));
        expected.push_back(i);
    }
    CHECK(numbers_until(queue, 123'456'789) == expected);
}

TEST_CASE("timer_queue: a timer is not popped before its time") {
    timer_queue queue;
    timer only{1'000'000, 1};
    queue.push(only);
    CHECK(queue.pop(999'999) == nullptr);
    CHECK(queue.pop(1'000'000) == &only);
}

TEST_CASE("timer_queue: a removed timer does not expire, the other timers do") {
    timer_queue queue;
    timer before{100, 1}, gone{100, 2}, after{100, 3}, alone{5'000, 4};
    for (timer* each : {&before, &gone, &after, &alone}) queue.push(*each);
    queue.remove(gone);
    queue.remove(alone);
    CHECK_FALSE(gone.is_linked());
    CHECK(numbers_until(queue, end_of_time) == std::vector{1, 3});
    CHECK(queue.empty());
}

TEST_CASE("timer_queue: the only timer may be removed and pushed again") {
    timer_queue queue;
    timer only{100, 1};
    queue.push(only);
    queue.remove(only);
    CHECK(queue.empty());
    only.at = 200;
    queue.push(only);
    CHECK(queue.pop(199) == nullptr);
    CHECK(queue.pop(200) == &only);
}

TEST_CASE("timer_queue: a timer with a time in the past comes next, after those that are already due") {
    timer_queue queue;
    timer reached{1'000, 1};
    queue.push(reached);
    REQUIRE(queue.pop(1'000) == &reached);

    timer due{1'000, 2}, past{10, 3}, negative{-5, 4}, later{1'001, 5};
    for (timer* each : {&later, &due, &past, &negative}) queue.push(*each);
    CHECK(queue.next_look() <= 1'000);
    CHECK(numbers_until(queue, 1'000) == std::vector{2, 3, 4});
    CHECK(numbers_until(queue, 1'001) == std::vector{5});
}

TEST_CASE("timer_queue: next_look returns the time of the only timer, also for the maximum time") {
    timer_queue queue;
    for (const std::int64_t at :
         {std::int64_t{1}, std::int64_t{63}, std::int64_t{64}, std::int64_t{1} << 40, end_of_time}) {
        timer only{at};
        queue.push(only);
        CHECK(queue.next_look() == at);
        CHECK(queue.pop(at) == &only);
    }
}

TEST_CASE("timer_queue: behaves like a multimap under random operations") {
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random{seed};
    const auto below = [&](std::uint64_t limit) { return random() % limit; };

    timer_queue queue;
    model expected;
    std::vector<std::unique_ptr<timer>> made;
    std::int64_t now = static_cast<std::int64_t>(below(std::uint64_t{1} << 50));
    for (int step = 0; step < 10 * coir::test::model_steps; ++step) {
        const auto choice = below(10);
        if (choice < 5 && expected.size() < 300) {
            // Delays of all magnitudes, from this nanosecond to years ahead, with many duplicates.
            const auto ahead = static_cast<std::int64_t>(below(std::uint64_t{1} << below(56)));
            const auto at = choice == 0 ? (now / 1024 + 1) * 1024 : now + ahead;
            timer& added = *made.emplace_back(std::make_unique<timer>(at, step));
            queue.push(added);
            expected.push(added);
        } else if (choice < 7 && !expected.empty()) {
            timer& gone = expected.at(below(expected.size()));
            queue.remove(gone);
            expected.remove(gone);
        } else {
            now += static_cast<std::int64_t>(below(std::uint64_t{1} << below(50)));
            for (auto popped = 0; popped < 5; ++popped) {
                timer_node* const due = queue.pop(now);
                REQUIRE(due == expected.pop(now));
                if (due == nullptr) break;
            }
        }
        REQUIRE(queue.empty() == expected.empty());
        if (!expected.empty()) REQUIRE(queue.next_look() <= expected.first());
    }
    while (!expected.empty()) REQUIRE(queue.pop(end_of_time) == expected.pop(end_of_time));
    CHECK(queue.empty());
}

TEST_CASE("timer_queue: timers with a time in the past all expire at the next pop, before any timer that "
          "is not due") {
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random{seed};
    timer_queue queue;
    std::deque<timer> all;
    std::int64_t now = 1'000'000'000;
    for (int round = 0; round < 2'000; ++round) {
        now += static_cast<std::int64_t>(random() % 1'000'000);
        while (queue.pop(now) != nullptr) {
        }
        const auto late = random() % 5;
        for (std::uint64_t i = 0; i < late; ++i) {
            queue.push(all.emplace_back(now - static_cast<std::int64_t>(random() % 2'000'000), -1));
            queue.push(all.emplace_back(now + 1 + static_cast<std::int64_t>(random() % 10'000'000), 1));
        }
        if (late > 0) REQUIRE(queue.next_look() <= now);
        REQUIRE(numbers_until(queue, now) == std::vector<int>(late, -1));
    }
}

TEST_CASE("timer_queue: polling whenever next_look says so finds every timer in time, with few polls") {
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random{seed};
    timer_queue queue;
    std::deque<timer> all;
    for (int i = 0; i < 10'000; ++i) {
        queue.push(all.emplace_back(1'000'000'000 + static_cast<std::int64_t>(random() % 1'000'000'000)));
    }
    std::size_t looks = 0, found = 0;
    while (!queue.empty()) {
        const std::int64_t now = queue.next_look();
        ++looks;
        while (timer_node* const due = queue.pop(now)) {
            REQUIRE(due->at == now);
            ++found;
        }
    }
    CHECK(found == all.size());
    CHECK(looks < 3 * all.size());
}

TEST_CASE("timer_queue: holds a million timers, and removes every other one") {
    constexpr std::size_t million = 1'000'000;
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random{seed};
    timer_queue queue;
    std::deque<timer> all;
    for (std::size_t i = 0; i < million; ++i) {
        queue.push(all.emplace_back(static_cast<std::int64_t>(random() % 10'000'000'000)));
    }
    for (std::size_t i = 0; i < million; i += 2) queue.remove(all[i]);
    std::int64_t last = 0;
    std::size_t popped = 0;
    bool ordered = true;
    while (timer_node* const due = queue.pop(end_of_time)) {
        ordered = ordered && due->at >= last;
        last = due->at;
        ++popped;
    }
    CHECK(ordered);
    CHECK(popped == million / 2);
}
