#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/gather.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/task_group.hpp>
#include <coir/test/explore.hpp>
#include <coir/this_fiber.hpp>

#include "support/captured_log.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::test::explore;
using coir::this_fiber::sleep_for;
using coir::this_fiber::yield;

namespace {

/// Sets COIR_SEED during its lifetime.
class seed_in_environment {
public:
    explicit seed_in_environment(const std::string& value) { ::setenv("COIR_SEED", value.c_str(), 1); }
    ~seed_in_environment() { ::unsetenv("COIR_SEED"); }
    seed_in_environment(const seed_in_environment&) = delete;
    seed_in_environment& operator=(const seed_in_environment&) = delete;
};

/// The result of an exploration: the logged seed, the message of the failure, and the number of runs. The texts are
/// empty if no failure was found.
struct search {
    std::string seed;
    std::string what;
    int runs = 0;
};

search look_for_failure(std::size_t runs, const std::function<void()>& test) {
    const coir::test::captured_log log;
    search done;
    try {
        explore(runs, [&] {
            ++done.runs;
            test();
        });
    } catch (const std::exception& failure) {
        done.what = failure.what();
        const std::string text = log.text();
        const std::size_t at = text.find("COIR_SEED=");
        REQUIRE(at != std::string::npos);
        done.seed = text.substr(at + 10, text.find_first_not_of("0123456789", at + 10) - at - 10);
    }
    return done;
}

/// Two deposits; one is lost if the other happens between its read and its write.
void lose_a_deposit() {
    int balance = 0;
    const auto deposit = [&] {
        yield();
        const int before = balance;
        sleep_for(1ms);
        balance = before + 10;
    };
    auto first = coir::spawn(deposit);
    first.join();
    coir::gather(deposit, [&] {
        sleep_for(1ms);  // before or after the other one: both wake at the same time
        if (balance == 10)
            deposit();
        else
            balance += 10;
    });
    if (balance != 30) throw std::runtime_error{"balance " + std::to_string(balance)};
}

/// Fails only if the victim does not run between two of its suspensions while the other fiber makes all thirty steps.
void need_a_fiber_to_be_late() {
    int steps = 0;
    bool late = false;
    auto other = coir::spawn([&] {
        for (; steps < 30; ++steps) yield();
    });
    auto victim = coir::spawn([&] {
        const int before = steps;
        yield();
        late = before == 0 && steps == 30;
    });
    other.get();
    victim.get();
    if (late) throw std::runtime_error{"overtaken"};
}

std::vector<int> order_of(std::uint64_t seed) {
    std::vector<int> order;
    coir::run({.clock = coir::clock_mode::virtual_time, .seed = seed}, [&] {
        std::vector<coir::fiber<void>> crowd;
        for (int i = 0; i < 6; ++i) {
            crowd.push_back(coir::spawn([&order, i] {
                for (int step = 0; step < 4; ++step) {
                    order.push_back(i);
                    if (step == 1)
                        sleep_for(1ms);
                    else
                        yield();
                }
            }));
        }
        for (auto& each : crowd) each.get();
    });
    return order;
}

}  // namespace

TEST_CASE("seed: the same seed gives the same order, different seeds give different orders") {
    std::set<std::vector<int>> orders;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const std::vector<int> order = order_of(seed);
        CHECK(order == order_of(seed));
        orders.insert(order);
    }
    CHECK(orders.size() > 40);
}

TEST_CASE("seed: without a seed, fibers run first come, first served") {
    std::vector<int> order;
    coir::run(
        [&] { coir::gather([&] { order.push_back(0); }, [&] { order.push_back(1); }, [&] { order.push_back(2); }); });
    CHECK(order == std::vector{0, 1, 2});
}

TEST_CASE("seed: timers of the same time fire in different orders, others in the order of their times") {
    std::set<std::vector<int>> orders;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        std::vector<int> order;
        coir::run({.clock = coir::clock_mode::virtual_time, .seed = seed}, [&] {
            const auto sleeper = [&order](int which, std::chrono::milliseconds length) {
                return [&order, which, length] {
                    sleep_for(length);
                    order.push_back(which);
                };
            };
            coir::gather(sleeper(1, 5ms), sleeper(2, 5ms), sleeper(3, 5ms), sleeper(4, 9ms));
        });
        REQUIRE(order.size() == 4);
        CHECK(order.back() == 4);
        orders.insert(order);
    }
    CHECK(orders.size() == 6);
}

TEST_CASE("seed: a fiber that polls for another with yield does not starve it") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        CAPTURE(seed);
        bool done = false;
        coir::run({.seed = seed}, [&] {
            auto worker = coir::spawn([&] {
                for (int i = 0; i < 10; ++i) yield();
                done = true;
            });
            auto waits = coir::spawn([&] {
                while (!done) yield();
            });
            waits.get();
        });
        CHECK(done);
    }
}

TEST_CASE("seed: two fibers that wake each other do not starve a third") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        CAPTURE(seed);
        coir::run({.seed = seed}, [&] {
            coir::channel<int> there;
            coir::channel<int> back;
            auto ping = coir::spawn([&] {
                for (;;) {
                    there.send(1);
                    back.recv();
                }
            });
            auto pong = coir::spawn([&] {
                for (;;) {
                    there.recv();
                    back.send(1);
                }
            });
            for (int i = 0; i < 10; ++i) yield();
        });
    }
}

TEST_CASE("seed: a time in the distant past is not treated as simultaneous with another timer") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CAPTURE(seed);
        coir::run({.clock = coir::clock_mode::virtual_time, .seed = seed}, [] {
            const auto began = coir::clock::now();
            const auto after = [began](std::chrono::hours length) {
                sleep_for(length);
                return coir::clock::now() - began == length;
            };
            const auto [hour, day, past] =
                coir::gather([&] { return after(1h); }, [&] { return after(24h); },
                             [] { coir::this_fiber::sleep_until(coir::clock::time_point::min()); });
            CHECK(hour);
            CHECK(day);
        });
    }
}

TEST_CASE("seed: fibers that have ended do not slow the choice of the next one") {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        coir::run({.seed = seed}, [] {
            int ended = 0;
            for (int batch = 0; batch < 400; ++batch) {
                coir::task_group group;
                for (int i = 0; i < 50; ++i) {
                    group.spawn([&ended] {
                        coir::this_fiber::yield();
                        ++ended;
                    });
                }
                group.wait();
            }
            CHECK(ended == 20'000);  // in time that grew with each of them it would take minutes
        });
    }
}

TEST_CASE("explore: a lost update is found within 1,000 orders, and its seed reproduces it at once") {
    const search found = look_for_failure(1'000, lose_a_deposit);
    REQUIRE_FALSE(found.seed.empty());
    const seed_in_environment again{found.seed};
    const search replayed = look_for_failure(1'000, lose_a_deposit);
    CHECK(replayed.runs == 1);
    CHECK(replayed.what == found.what);
    CHECK(replayed.seed == found.seed);
}

TEST_CASE("explore: a bug that needs a fiber to be late by thirty steps is found within 1,000 orders") {
    // Random choices at each suspension would need 2^30 runs.
    const search found = look_for_failure(1'000, need_a_fiber_to_be_late);
    CHECK(found.what == "overtaken");
    const seed_in_environment again{found.seed};
    CHECK(look_for_failure(1, need_a_fiber_to_be_late).what == "overtaken");
}

TEST_CASE("explore: a deadlock that occurs only in some orders is found") {
    const search found = look_for_failure(1'000, [] {
        coir::mutex first;
        coir::mutex second;
        const auto both = [](coir::mutex& one, coir::mutex& other) {
            return [&] {
                const std::lock_guard lock{one};
                const std::lock_guard then{other};
            };
        };
        const auto later = [&] {
            yield();
            yield();
            const std::lock_guard lock{second};
            yield();
            const std::lock_guard then{first};
        };
        const auto sooner = [&] {
            const std::lock_guard lock{first};
            yield();
            const std::lock_guard then{second};
        };
        coir::gather(both(first, second), sooner, later);
    });
    CHECK(found.what.find("deadlock") != std::string::npos);
}

TEST_CASE("explore: a correct test runs as often as requested") {
    const search none = look_for_failure(200, [] {
        coir::channel<int> numbers{1};
        auto reader = coir::spawn([&] { return numbers.recv().value(); });
        numbers.send(7);
        if (reader.get() != 7) throw std::runtime_error{"lost"};
    });
    CHECK(none.runs == 200);
    CHECK(none.seed.empty());
}

TEST_CASE("explore: an exception of a detached fiber is a failure, unless the options handle it") {
    const auto fails_alone = [] {
        coir::spawn([] { throw std::runtime_error{"alone"}; }).detach();
        yield();
    };
    CHECK(look_for_failure(3, fails_alone).what == "alone");
    int told = 0;
    explore(3, fails_alone, {.on_unhandled_exception = [&](std::exception_ptr, std::string_view) { ++told; }});
    CHECK(told == 3);
}

TEST_CASE("explore: time is virtual by default") {
    explore(1, [] {
        const auto began = coir::clock::now();
        sleep_for(1h);
        CHECK(coir::clock::now() - began == 1h);
    });
    const auto began = std::chrono::steady_clock::now();
    explore(1, [] { sleep_for(2ms); }, {});
    CHECK(std::chrono::steady_clock::now() - began >= 2ms);
}

TEST_CASE("explore: a COIR_SEED that is not a number is refused, and quoted") {
    for (const char* const wrong : {"", "7a", "-1", "99999999999999999999999"}) {
        CAPTURE(wrong);
        const seed_in_environment given{wrong};
        try {
            explore(1, [] { FAIL("it runs"); });
            FAIL("it is taken");
        } catch (const std::invalid_argument& refused) {
            CHECK(std::string{refused.what()}.find(std::string{"'"} + wrong + "'") != std::string::npos);
        }
    }
}
