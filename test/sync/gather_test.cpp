#include <coir/fiber.hpp>
#include <coir/first_of.hpp>
#include <coir/gather.hpp>
#include <coir/shield.hpp>
#include <coir/sync/event.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using coir::test::in_scheduler;
using coir::this_fiber::sleep_for;
using namespace std::chrono_literals;

namespace {

struct square {
    int operator()() const {
        coir::this_fiber::yield();
        return *root * *root;
    }

    std::unique_ptr<int> root;
};

/// The squares below `count`; each is computed when it is read.
struct made_as_it_goes {
    struct iterator {
        using value_type = square;
        using difference_type = std::ptrdiff_t;

        square operator*() const { return {std::make_unique<int>(at)}; }
        iterator& operator++() {
            ++at;
            return *this;
        }
        iterator operator++(int) { return {at++}; }
        bool operator==(const iterator&) const = default;

        int at = 0;
    };
    [[nodiscard]] iterator begin() const { return {0}; }
    [[nodiscard]] iterator end() const { return {count}; }

    int count;
};

}  // namespace

TEST_CASE("gather: the results are a tuple in the order of the functions, whatever the order of completion") {
    in_scheduler([] {
        const auto results = coir::gather(
            [] {
                sleep_for(2ms);
                return 1;
            },
            [] { return std::string{"two"}; }, [] { coir::this_fiber::yield(); });
        static_assert(std::same_as<decltype(results), const std::tuple<int, std::string, std::monostate>>);
        CHECK(std::get<0>(results) == 1);
        CHECK(std::get<1>(results) == "two");
    });
}

TEST_CASE("gather: all functions run concurrently") {
    in_scheduler([] {
        coir::event go;
        const auto [waited, went] = coir::gather(
            [&] {
                go.wait();
                return true;
            },
            [&] {
                go.set();
                return true;
            });
        CHECK(waited);
        CHECK(went);
    });
}

TEST_CASE("gather: move-only results and references are returned unchanged") {
    in_scheduler([] {
        int number = 1;
        auto [pointer, reference] =
            coir::gather([] { return std::make_unique<int>(7); }, [&]() -> int& { return number; });
        CHECK(*pointer == 7);
        CHECK(&reference == &number);
    });
}

TEST_CASE("gather: the functions are not copied") {
    in_scheduler([] {
        struct counts {
            int calls = 0;
            int operator()() { return ++calls; }
            counts() = default;
            counts(const counts&) = delete;
        } counter;
        coir::gather(counter, counter);
        CHECK(counter.calls == 2);
        std::vector<std::unique_ptr<int>> owned;
        coir::gather([&owned, own = std::make_unique<int>(1)]() mutable { owned.push_back(std::move(own)); });
        CHECK(*owned.front() == 1);
    });
}

TEST_CASE("gather: without functions it returns an empty result") {
    in_scheduler([] {
        static_assert(std::same_as<decltype(coir::gather()), std::tuple<>>);
        coir::gather();
        CHECK(coir::gather(std::vector<int (*)()>{}).empty());
    });
}

TEST_CASE("gather: the first failure stops the others, and is thrown after all have ended") {
    in_scheduler([] {
        bool stopped = false;
        const auto others = [&] {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                stopped = true;
                throw;
            }
        };
        CHECK_THROWS_AS(coir::gather(others, [] { throw std::domain_error{"mine"}; }), std::domain_error);
        CHECK(stopped);
    });
}

TEST_CASE("gather: a stop or an expired scope stops all functions and waits for them") {
    in_scheduler([] {
        int ended = 0;
        const auto member = [&] {
            struct counts {
                int& ended;
                ~counts() { ++ended; }
            } const at_end{ended};
            sleep_for(1h);
        };
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { coir::gather(member, member); }), coir::timed_out);
        CHECK(ended == 2);
        auto stopped = coir::spawn([&] { coir::gather(member, member, member); });
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK(ended == 5);
    });
}

TEST_CASE("gather: a function that lets cancelled escape has no result: get throws fiber_stopped") {
    in_scheduler([] {
        CHECK_THROWS_AS(coir::gather([] { return 1; }, []() -> int { throw coir::cancelled{}; }), coir::fiber_stopped);
    });
}

TEST_CASE("gather: a range returns a vector in its order") {
    in_scheduler([] {
        std::vector<std::function<int()>> work;
        for (int i = 0; i < 20; ++i) {
            work.push_back([i] {
                for (int turn = i; turn < 20; ++turn) coir::this_fiber::yield();
                return i;
            });
        }
        const std::vector<int> results = coir::gather(work);
        for (int i = 0; i < 20; ++i) CHECK(results[static_cast<std::size_t>(i)] == i);
    });
}

TEST_CASE("gather: a range may create its functions lazily") {
    in_scheduler([] { CHECK(coir::gather(made_as_it_goes{5}) == std::vector{0, 1, 4, 9, 16}); });
}

TEST_CASE("gather: a range of void functions returns a vector of std::monostate") {
    in_scheduler([] {
        int ran = 0;
        const std::vector<std::function<void()>> work(3, [&] { ++ran; });
        const std::vector<std::monostate> results = coir::gather(work);
        CHECK(results.size() == 3);
        CHECK(ran == 3);
    });
}

TEST_CASE("gather: with a range, a deadline that passes stops all fibers") {
    in_scheduler([] {
        int stopped = 0;
        const std::vector<std::function<void()>> work(3, [&] {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                ++stopped;
                throw;
            }
        });
        CHECK_THROWS_AS(coir::gather(work, 1ms), coir::timed_out);
        CHECK(stopped == 3);
    });
}

TEST_CASE("gather: outside a fiber it throws not_in_fiber") {
    CHECK_THROWS_AS(coir::gather([] {}), coir::not_in_fiber);
}

TEST_CASE("gather: several failures are thrown together, also with a range") {
    in_scheduler([] {
        const auto fails = [](const char* what, auto waits) {
            return [what, waits] {
                try {
                    sleep_for(waits);
                } catch (const coir::cancelled&) {
                }
                throw std::runtime_error{what};
            };
        };
        const auto late = fails("late", 1h);
        const auto early = fails("early", 0h);
        CHECK_THROWS_WITH_AS(coir::gather(late, early), "2 fibers failed: early; late", coir::exception_group);
        const std::vector both{late, early};
        CHECK_THROWS_WITH_AS(coir::gather(both), "2 fibers failed: early; late", coir::exception_group);
    });
}

TEST_CASE("first_of: returns the first result, after the others were stopped and have ended") {
    in_scheduler([] {
        std::string log;
        const auto slow = [&] {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                const coir::shield_scope shield;
                coir::this_fiber::yield();
                log += "ended";
                throw;
            }
            return 1;
        };
        const auto first = coir::first_of(slow, [] {
            sleep_for(1ms);
            return 2;
        });
        CHECK(first.index == 1);
        CHECK(first.value == 2);
        CHECK(log == "ended");
    });
}

TEST_CASE("first_of: with different result types, returns a variant with one alternative per function") {
    in_scheduler([] {
        const auto slow = [] {
            sleep_for(1h);
            return 1;
        };
        const auto first = coir::first_of(
            slow, [] { return std::string{"quick"}; }, slow);
        static_assert(std::same_as<decltype(first.value), const std::variant<int, std::string, int>> ||
                      std::same_as<decltype(first.value), std::variant<int, std::string, int>>);
        CHECK(first.index == 1);
        CHECK(std::get<1>(first.value) == "quick");

        const auto last = coir::first_of(
            slow, [] { sleep_for(1h); }, [] { return 3; });
        CHECK(last.index == 2);
        CHECK(last.value.index() == 2);
        CHECK(std::get<2>(last.value) == 3);
    });
}

TEST_CASE("first_of: works with void functions, and with a single function") {
    in_scheduler([] {
        const auto first = coir::first_of([] { sleep_for(1h); }, [] {});
        static_assert(std::same_as<decltype(first.value), std::monostate>);
        CHECK(first.index == 1);
        CHECK(*coir::first_of([] { return std::make_unique<int>(5); }).value == 5);
    });
}

TEST_CASE("first_of: if two are ready at the same time, the first one wins and the other result is dropped") {
    in_scheduler([] {
        const auto first = coir::first_of([] { return 1; }, [] { return 2; });
        CHECK(first.index == 0);
        CHECK(first.value == 1);
    });
}

TEST_CASE("first_of: if the first to finish fails, its exception is thrown, whatever the others do") {
    in_scheduler([] {
        CHECK_THROWS_AS(coir::first_of(
                            [] {
                                try {
                                    sleep_for(1h);
                                } catch (const coir::cancelled&) {
                                }
                                return 1;
                            },
                            []() -> int { throw std::domain_error{"mine"}; }),
                        std::domain_error);
    });
}

TEST_CASE("first_of: if others fail while they are stopped due to a failure, the first exception is thrown, the others "
          "reported") {
    std::string reported;
    coir::run_options options;
    options.on_unhandled_exception = [&](std::exception_ptr failure, std::string_view) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& thrown) {
            reported += thrown.what();
        }
    };
    in_scheduler(options, [] {
        const auto late = [] {
            try {
                sleep_for(1h);
            } catch (const coir::cancelled&) {
                throw std::runtime_error{"late"};
            }
        };
        CHECK_THROWS_AS(coir::first_of(late, [] { throw std::domain_error{"mine"}; }), std::domain_error);
    });
    CHECK(reported == "late");
}

TEST_CASE("first_of: an exception thrown during the stop of a loser is reported, and the result is returned") {
    std::string reported;
    coir::run_options options;
    options.on_unhandled_exception = [&](std::exception_ptr failure, std::string_view) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& thrown) {
            reported += thrown.what();
        }
    };
    in_scheduler(options, [] {
        const auto first = coir::first_of([] { return 1; },
                                          [] {
                                              try {
                                                  sleep_for(1h);
                                              } catch (const coir::cancelled&) {
                                                  throw std::domain_error{"late"};
                                              }
                                              return 2;
                                          });
        CHECK(first.value == 1);
    });
    CHECK(reported == "late");
}

TEST_CASE(
    "first_of: a function that is stopped does not count as finished, and if all are stopped it throws fiber_stopped") {
    in_scheduler([] {
        const auto gives_up = []() -> int { throw coir::cancelled{}; };
        CHECK(coir::first_of(gives_up, [] { return 2; }).index == 1);
        CHECK_THROWS_AS(coir::first_of(gives_up, gives_up), coir::fiber_stopped);
    });
}

TEST_CASE("first_of: a stop or an expired scope stops all functions and waits for them") {
    in_scheduler([] {
        int ended = 0;
        const auto member = [&] {
            struct counts {
                int& ended;
                ~counts() { ++ended; }
            } const at_end{ended};
            sleep_for(1h);
        };
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { coir::first_of(member, member); }), coir::timed_out);
        CHECK(ended == 2);
    });
}
