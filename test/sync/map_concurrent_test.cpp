#include <coir/fiber.hpp>
#include <coir/map_concurrent.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <forward_list>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using coir::test::in_scheduler;
using coir::test::virtual_time;
using coir::this_fiber::sleep_for;
using namespace std::chrono_literals;

namespace {

std::vector<int> first_numbers(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 1);
    return numbers;
}

/// `count` elements; `make` creates each of them when it is read.
template <class F> struct made_range {
    struct iterator {
        using value_type = std::invoke_result_t<F&, int>;
        using difference_type = std::ptrdiff_t;

        value_type operator*() const { return range->make(at); }
        iterator& operator++() {
            ++at;
            return *this;
        }
        iterator operator++(int) {
            const iterator before = *this;
            ++at;
            return before;
        }
        bool operator==(const iterator&) const = default;

        made_range* range = nullptr;
        int at = 0;
    };
    [[nodiscard]] iterator begin() { return {this, 0}; }
    [[nodiscard]] iterator end() { return {this, count}; }

    int count;
    F make;
};
template <class F> made_range(int, F) -> made_range<F>;

/// The numbers of a text; a single-pass range, whose current element is gone when the next one is read.
struct numbers_in {
    struct iterator {
        using value_type = int;
        using difference_type = std::ptrdiff_t;

        int& operator*() const { return range->latest; }
        iterator& operator++() {
            range->text >> range->latest;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return range->text.fail(); }

        numbers_in* range = nullptr;
    };
    [[nodiscard]] iterator begin() { return ++iterator{this}; }
    [[nodiscard]] std::default_sentinel_t end() const { return {}; }

    std::istringstream text;
    int latest = 0;
};

}  // namespace

TEST_CASE("map_concurrent: results are in the order of the range, whatever the order of completion") {
    in_scheduler(virtual_time, [] {
        const auto squares = coir::map_concurrent(first_numbers(10), coir::limit{3}, [](int number) {
            sleep_for((10 - number) * 1min);
            return number * number;
        });
        CHECK(squares == std::vector{1, 4, 9, 16, 25, 36, 49, 64, 81, 100});
    });
}

TEST_CASE("map_concurrent: at most as many fibers as the limit run concurrently") {
    in_scheduler([] {
        int running = 0;
        int most = 0;
        coir::map_concurrent(first_numbers(20), coir::limit{4}, [&](int number) {
            most = std::max(most, ++running);
            for (int i = 0; i < number % 3; ++i) coir::this_fiber::yield();
            --running;
        });
        CHECK(most == 4);
    });
}

TEST_CASE("map_concurrent: with a limit of one it runs like a loop") {
    in_scheduler([] {
        std::string order;
        const std::string letters = "abc";
        coir::map_concurrent(letters, coir::limit{1}, [&](char letter) {
            order += letter;
            coir::this_fiber::yield();
            order += letter;
        });
        CHECK(order == "aabbcc");
    });
}

TEST_CASE("map_concurrent: an empty range has no results, and the limit may exceed the size of the range") {
    in_scheduler([] {
        const auto twice = [](int number) { return 2 * number; };
        CHECK(coir::map_concurrent(std::vector<int>{}, coir::limit{3}, twice).empty());
        CHECK(coir::map_concurrent(std::vector{1, 2}, coir::limit{1'000'000'000}, twice) == std::vector{2, 4});
    });
}

TEST_CASE("map_concurrent: returns nothing if the function returns void") {
    in_scheduler([] {
        int sum = 0;
        const auto add = [&](int number) { sum += number; };
        static_assert(std::is_void_v<decltype(coir::map_concurrent(std::vector{1}, coir::limit{1}, add))>);
        coir::map_concurrent(first_numbers(4), coir::limit{2}, add);
        CHECK(sum == 10);
    });
}

TEST_CASE("map_concurrent: elements are not copied, and results may be move-only") {
    in_scheduler([] {
        std::vector<std::unique_ptr<int>> numbers;
        for (int i = 0; i < 3; ++i) numbers.push_back(std::make_unique<int>(i));
        const auto doubled = coir::map_concurrent(numbers, coir::limit{2}, [](std::unique_ptr<int>& number) {
            *number *= 2;
            coir::this_fiber::yield();
            return std::make_unique<int>(*number);
        });
        CHECK(*numbers[2] == 4);
        CHECK(*doubled[2] == 4);
    });
}

TEST_CASE("map_concurrent: works with sized and unsized ranges, stored and lazy") {
    in_scheduler([] {
        const auto negated = [](int number) {
            coir::this_fiber::yield();
            return -number;
        };
        CHECK(coir::map_concurrent(std::forward_list{1, 2, 3}, coir::limit{2}, negated) == std::vector{-1, -2, -3});
        CHECK(coir::map_concurrent(made_range{3, [](int i) { return i + 1; }}, coir::limit{2}, negated) ==
              std::vector{-1, -2, -3});
        CHECK(coir::map_concurrent(numbers_in{std::istringstream{"1 2 3"}}, coir::limit{2}, negated) ==
              std::vector{-1, -2, -3});
    });
}

TEST_CASE("map_concurrent: reads no more elements than fibers can process") {
    in_scheduler([] {
        int read = 0;
        made_range counted{100, [&](int i) {
                               ++read;
                               return i;
                           }};
        coir::event go;
        auto mapping = coir::spawn([&] { coir::map_concurrent(counted, coir::limit{3}, [&](int) { go.wait(); }); });
        for (int i = 0; i < 10; ++i) coir::this_fiber::yield();
        CHECK(read == 3);
        go.set();
        mapping.get();
        CHECK(read == 100);
    });
}

TEST_CASE("map_concurrent: reads move-only elements from a channel while others are processed") {
    in_scheduler([] {
        coir::channel<std::unique_ptr<int>> numbers{0};
        auto sender = coir::spawn([&] {
            for (int i = 1; i <= 5; ++i) numbers.send(std::make_unique<int>(i));
            numbers.close();
        });
        int running = 0;
        int most = 0;
        const auto results = coir::map_concurrent(numbers, coir::limit{2}, [&](std::unique_ptr<int> number) {
            most = std::max(most, ++running);
            for (int i = 0; i < 5; ++i) coir::this_fiber::yield();
            --running;
            return *number;
        });
        CHECK(results == first_numbers(5));
        CHECK(most == 2);
        sender.get();
    });
}

TEST_CASE("map_concurrent: the first failure stops the others, no more elements are read, and it is thrown") {
    in_scheduler(virtual_time, [] {
        int begun = 0;
        int stopped = 0;
        const auto fail_at_2 = [&](int number) {
            ++begun;
            if (number == 2) throw std::domain_error{"two"};
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                ++stopped;
                throw;
            }
        };
        CHECK_THROWS_WITH_AS(coir::map_concurrent(first_numbers(9), coir::limit{3}, fail_at_2), "two",
                             std::domain_error);
        CHECK(begun == 2);  // the third fiber was stopped before it read an element
        CHECK(stopped == 1);
    });
}

TEST_CASE("map_concurrent: a failure also ends the wait for the next element") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        numbers.send(1);
        const auto fail = [](int) {
            coir::this_fiber::yield();
            throw std::domain_error{"one"};
        };
        CHECK_THROWS_AS(coir::map_concurrent(numbers, coir::limit{2}, fail), std::domain_error);
    });
}

TEST_CASE("map_concurrent: an exception from the range is thrown") {
    in_scheduler([] {
        made_range broken{5, [](int i) {
                              if (i == 2) throw std::domain_error{"broken"};
                              return i;
                          }};
        CHECK_THROWS_WITH(coir::map_concurrent(broken, coir::limit{2}, [](int) { coir::this_fiber::yield(); }),
                          "broken");
    });
}

TEST_CASE("map_concurrent: several failures are thrown as an exception_group") {
    in_scheduler([] {
        const auto fail = [](int number) {
            try {
                sleep_for(number == 2 ? 0s : 1h);
            } catch (const coir::cancelled&) {
                throw std::runtime_error{"stopped"};
            }
            throw std::runtime_error{"first"};
        };
        CHECK_THROWS_WITH_AS(coir::map_concurrent(first_numbers(2), coir::limit{2}, fail),
                             "2 fibers failed: first; stopped", coir::exception_group);
    });
}

TEST_CASE("map_concurrent: throws fiber_stopped if the function lets cancelled escape, also with void functions") {
    in_scheduler([] {
        const auto give_up = [](int number) {
            if (number == 2) throw coir::cancelled{};
        };
        CHECK_THROWS_AS(coir::map_concurrent(first_numbers(3), coir::limit{1}, give_up), coir::fiber_stopped);
    });
}

TEST_CASE("map_concurrent: a deadline that passes stops all fibers, and it throws timed_out") {
    in_scheduler(virtual_time, [] {
        int ended = 0;
        const auto sleep = [&](int) {
            struct counts {
                int& ended;
                ~counts() { ++ended; }
            } const at_end{ended};
            sleep_for(1h);
        };
        CHECK_THROWS_AS(coir::map_concurrent(first_numbers(9), coir::limit{2}, sleep, 150min), coir::timed_out);
        CHECK(ended == 6);
        CHECK_THROWS_AS(
            coir::with_timeout(30min, [&] { coir::map_concurrent(first_numbers(9), coir::limit{2}, sleep); }),
            coir::timed_out);
        CHECK(ended == 8);
    });
}

TEST_CASE("map_concurrent: with an unsized range, there is at most one idle worker") {
    in_scheduler([] {
        coir::channel<int> numbers{4};
        for (int i = 1; i <= 3; ++i) numbers.send(i);
        numbers.close();
        const auto squares = coir::map_concurrent(numbers, coir::limit{std::numeric_limits<std::size_t>::max()},
                                                  [](int number) { return number * number; });
        CHECK(squares == std::vector{1, 4, 9});
    });
}

namespace {

/// Returns 0 and 1, then throws; counts how often it was advanced.
struct failing_range {
    struct iterator {
        using value_type = int;
        using difference_type = std::ptrdiff_t;

        int operator*() const { return number; }
        iterator& operator++() {
            ++*advanced;
            if (++number == 2) throw std::runtime_error{"no more"};
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return false; }

        int* advanced;
        int number = 0;
    };

    iterator begin() { return {&advanced}; }
    static std::default_sentinel_t end() { return {}; }

    int advanced = 0;
};

}  // namespace

TEST_CASE("map_concurrent: a range that has thrown is not accessed again") {
    in_scheduler([] {
        failing_range numbers;
        const auto wait = [](int) { coir::this_fiber::yield(); };
        CHECK_THROWS_WITH_AS(coir::map_concurrent(numbers, coir::limit{4}, wait), "no more", std::runtime_error);
        CHECK(numbers.advanced == 2);
    });
}
