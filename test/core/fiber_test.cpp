#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using coir::test::in_scheduler;
using coir::test::other_thread;

namespace {

std::error_code code_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::system_error& thrown) {
        return thrown.code();
    }
    return {};
}

/// Runs until it is stopped.
void wait_for_stop() { coir::this_fiber::sleep_until(coir::never); }

/// Takes a plain address, since the compiler may assume that an object is aligned.
bool is_aligned(const void* at, std::size_t to) {
    const void* volatile address = at;
    return reinterpret_cast<std::uintptr_t>(address) % to == 0;
}

/// Collects the unhandled exceptions of a run with `options()`.
struct collected {
    std::vector<std::string> all;  // "name: what"
    coir::run_options options() {
        coir::run_options made;
        made.on_unhandled_exception = [this](std::exception_ptr failure, std::string_view name) {
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                all.push_back(std::string{name} + ": " + thrown.what());
            } catch (...) {
                all.push_back(std::string{name} + ": not a std::exception");
            }
        };
        return made;
    }
};

}  // namespace

// ---- spawn and results -------------------------------------------------------------------------------------------

TEST_CASE("fiber: get waits for the end and moves the result out") {
    in_scheduler([] {
        auto sum = coir::spawn([](int a, int b) { return a + b; }, 40, 2);
        static_assert(std::is_same_v<decltype(sum), coir::fiber<int>>);
        CHECK(sum.get() == 42);
        CHECK_FALSE(sum.joinable());
    });
}

TEST_CASE("fiber: a result may be void, a reference, or a move-only type") {
    in_scheduler([] {
        bool ran = false;
        coir::fiber<void> nothing = coir::spawn([&] { ran = true; });
        nothing.get();
        CHECK(ran);

        int target = 1;
        coir::fiber<int&> reference = coir::spawn([&]() -> int& { return target; });
        CHECK(&reference.get() == &target);

        coir::fiber<std::unique_ptr<int>> moves = coir::spawn([] { return std::make_unique<int>(7); });
        CHECK(*moves.get() == 7);
    });
}

TEST_CASE("fiber: get throws the exception of the fiber, with its type") {
    in_scheduler([] {
        auto fails = coir::spawn([]() -> int { throw std::out_of_range{"too far"}; });
        CHECK_THROWS_WITH_AS(fails.get(), "too far", std::out_of_range);
        CHECK_FALSE(fails.joinable());
        CHECK_THROWS_AS(coir::spawn([] { throw 7; }).get(), int);
    });
}

TEST_CASE("fiber: get throws an exception from constructing the result") {
    struct fails_to_move {
        fails_to_move() = default;
        fails_to_move(fails_to_move&&) { throw std::logic_error{"stays here"}; }
    };
    in_scheduler([] {
        auto fails = coir::spawn([] {
            fails_to_move made;
            fails_to_move& moved = made;  // prevents copy elision
            return fails_to_move{std::move(moved)};
        });
        CHECK_THROWS_WITH_AS(fails.get(), "stays here", std::logic_error);
    });
}

TEST_CASE("fiber: decays and moves callable and arguments, like std::thread") {
    in_scheduler([] {
        std::string text = "before";
        auto copy = coir::spawn([](const std::string& mine) { return mine; }, text);
        text = "after";
        CHECK(copy.get() == "before");

        auto by_reference = coir::spawn([](std::string& theirs) { theirs += "!"; }, std::ref(text));
        by_reference.get();
        CHECK(text == "after!");

        auto moved = coir::spawn([](std::unique_ptr<int> mine) { return *mine; }, std::make_unique<int>(3));
        CHECK(moved.get() == 3);

        struct object {
            int twice(int of) { return 2 * of + base; }
            int base;
        } target{1};
        CHECK(coir::spawn(&object::twice, &target, 20).get() == 41);
        CHECK(coir::spawn([](const char* literal) { return std::string{literal}; }, "array").get() == "array");
    });
}

TEST_CASE("fiber: a callable that can be called only once is called once, as an rvalue") {
    struct once {
        int operator()() && { return *value; }
        std::unique_ptr<int> value = std::make_unique<int>(5);
    };
    in_scheduler([] { CHECK(coir::spawn(once{}).get() == 5); });
}

TEST_CASE("fiber: an exception from copying the arguments is thrown by spawn, and no fiber is created") {
    struct fails_to_copy {
        fails_to_copy() = default;
        fails_to_copy(const fails_to_copy&) { throw std::logic_error{"one of a kind"}; }
    };
    in_scheduler([] {
        const fails_to_copy argument;
        const auto last = coir::spawn([] { return coir::this_fiber::id(); }).get();
        CHECK_THROWS_AS(static_cast<void>(coir::spawn([](const fails_to_copy&) {}, argument)), std::logic_error);
        CHECK(coir::spawn([] { return coir::this_fiber::id(); }).get() == last + 1);
    });
}

TEST_CASE("fiber: supports closures of any size and alignment") {
    in_scheduler([] {
        const auto check = [](auto closure) {
            using type = decltype(closure);
            auto aligned = coir::spawn([closure = std::move(closure)] {
                return is_aligned(&closure, alignof(type)) && closure.bytes.back() == 9;
            });
            CHECK(aligned.get());
        };
        const auto with = [&](auto made) {
            made.bytes.back() = 9;
            // Several fibers, so that none is aligned by chance.
            for (int i = 0; i < 3; ++i) check(made);
        };
        struct alignas(64) line {
            std::array<char, 64> bytes{};
        };
        struct alignas(128) two_lines {
            std::array<char, 128> bytes{};
        };
        struct alignas(4096) page {
            std::array<char, 4096> bytes{};
        };
        struct kilobytes {
            std::array<char, 10'000> bytes{};
        };
        with(line{});
        with(two_lines{});
        with(page{});
        with(kilobytes{});
    });
}

TEST_CASE("fiber: a closure of megabytes is stored outside of the stack") {
    struct megabytes {
        std::array<char, 3'000'000> bytes{};
    };
    in_scheduler([] {
        auto made = std::make_unique<megabytes>();
        made->bytes.back() = 9;
        auto last = coir::spawn([](const megabytes& big) { return big.bytes.back(); }, *made);
        CHECK(last.get() == 9);
    });
}

TEST_CASE("fiber: its closure is destroyed in the fiber, before the joiner is woken") {
    in_scheduler([] {
        struct tells {
            explicit tells(std::uint64_t& where) : in{&where} {}
            tells(tells&& other) noexcept : in{std::exchange(other.in, nullptr)} {}
            ~tells() {
                if (in == nullptr) return;
                coir::this_fiber::yield();  // may even suspend
                *in = coir::this_fiber::id();
            }
            std::uint64_t* in;
        };
        std::uint64_t destroyed_in = 0;
        auto owner = coir::spawn([](const tells&) {}, tells{destroyed_in});
        const auto id = owner.id();
        owner.join();
        CHECK(destroyed_in == id);
    });
}

TEST_CASE("fiber: the result lives until get or until the handle is destroyed") {
    in_scheduler([] {
        auto shared = std::make_shared<int>(1);
        {
            auto holds = coir::spawn([shared] { return shared; });
            holds.join();
            CHECK(shared.use_count() == 2);
        }
        CHECK(shared.use_count() == 1);
    });
}

// ---- names and numbers -------------------------------------------------------------------------------------------

TEST_CASE("fiber: ids count from 1 in the order of spawning, in each run") {
    for (int i = 0; i < 2; ++i) {
        in_scheduler([] {
            CHECK(coir::this_fiber::id() == 1);
            auto two = coir::spawn([] { return coir::this_fiber::id(); });
            auto three = coir::spawn([] { return coir::this_fiber::id(); });
            CHECK(two.id() == 2);
            CHECK(three.id() == 3);
            CHECK(three.get() == 3);
            CHECK(two.get() == 2);
            CHECK(two.id() == 0);
        });
    }
}

TEST_CASE("fiber: its name is a copy of the given name, of at most 255 bytes") {
    in_scheduler([] {
        std::string given = "worker";
        auto named = coir::spawn({.name = given}, [] { return std::string{coir::this_fiber::name()}; });
        given = "changed";
        CHECK(named.name() == "worker");
        CHECK(named.get() == "worker");
        CHECK(named.name().empty());

        auto unnamed = coir::spawn([] { return std::string{coir::this_fiber::name()}; });
        CHECK(unnamed.name().empty());
        CHECK(unnamed.get().empty());

        auto long_named = coir::spawn({.name = std::string(1000, 'x')}, [] {});
        CHECK(long_named.name() == std::string(255, 'x'));
    });
}

TEST_CASE("fiber: its stack has the requested size") {
    in_scheduler([] {
        const auto remaining = [] { return coir::this_fiber::stack_remaining(); };
        const auto usual = coir::spawn(remaining).get();
        const auto small = coir::spawn({.stack_size = 128 << 10}, remaining).get();
        const auto large = coir::spawn({.stack_size = 4 << 20}, remaining).get();
        CHECK(small < 128 << 10);
        CHECK(usual > 128 << 10);
        CHECK(usual < 256 << 10);
        CHECK(large > 3 << 20);
        CHECK(large < 4 << 20);
    });
}

TEST_CASE("fiber: a huge stack size is refused, without overflow to a small one") {
    in_scheduler([] {
        for (const int bits : {41, 46, 63}) {
            auto fails = coir::spawn({.stack_size = std::size_t{1} << bits}, [] {});
            CHECK(code_of([&] { fails.get(); }) == std::errc::not_enough_memory);
        }
    });
}

// ---- waiting -----------------------------------------------------------------------------------------------------

TEST_CASE("fiber: join waits only, and get still returns the result") {
    in_scheduler([] {
        auto value = coir::spawn([] { return 5; });
        value.join();
        value.join();
        CHECK(value.joinable());
        CHECK(value.get() == 5);
    });
}

TEST_CASE("fiber: join does not throw what the fiber threw") {
    in_scheduler([] {
        auto fails = coir::spawn([] { throw std::runtime_error{"mine"}; });
        fails.join();
        CHECK(fails.done());
        CHECK_THROWS_WITH(fails.get(), "mine");
    });
}

TEST_CASE("fiber: done reports whether it has ended, without waiting") {
    in_scheduler([] {
        auto quick = coir::spawn([] {});
        CHECK_FALSE(quick.done());
        coir::this_fiber::yield();
        CHECK(quick.done());
        CHECK_FALSE(coir::fiber<void>{}.done());
    });
}

TEST_CASE("fiber: wait_for and wait_until report whether it ended in time") {
    in_scheduler([] {
        auto slow = coir::spawn(wait_for_stop);
        const auto before = std::chrono::steady_clock::now();
        CHECK(slow.wait_for(2ms) == std::future_status::timeout);
        CHECK(std::chrono::steady_clock::now() - before >= 2ms);
        CHECK(slow.wait_for(-1ms) == std::future_status::timeout);
        CHECK(slow.wait_until(std::chrono::steady_clock::now()) == std::future_status::timeout);
        CHECK(slow.joinable());

        auto quick = coir::spawn([] { return 1; });
        CHECK(quick.wait_for(1h) == std::future_status::ready);
        CHECK(quick.wait_until(coir::never) == std::future_status::ready);
        CHECK(quick.wait_for(-1s) == std::future_status::ready);
        CHECK(quick.get() == 1);
    });
}

TEST_CASE("fiber: join and get throw timed_out at their deadline, and may be called again") {
    in_scheduler([] {
        bool go_on = false;
        auto slow = coir::spawn([&] {
            while (!go_on) coir::this_fiber::yield();
            return 3;
        });
        CHECK_THROWS_AS(slow.join(1ms), coir::timed_out);
        CHECK(code_of([&] { slow.join(1ms); }) == std::errc::timed_out);
        CHECK_THROWS_AS(slow.get(1ms), coir::timed_out);
        go_on = true;
        CHECK(slow.get(1h) == 3);
    });
}

TEST_CASE("fiber: waiting with an empty handle throws invalid_argument") {
    in_scheduler([] {
        coir::fiber<int> none;
        for (const auto& call : std::vector<std::function<void()>>{
                 [&] { none.join(); },
                 [&] { none.get(); },
                 [&] { none.wait_for(1ms); },
                 [&] { none.request_stop(); },
                 [&] { none.detach(); },
             }) {
            CHECK(code_of(call) == std::errc::invalid_argument);
        }
        auto used = coir::spawn([] { return 1; });
        used.get();
        CHECK(code_of([&] { used.get(); }) == std::errc::invalid_argument);
    });
}

TEST_CASE("fiber: a fiber that waits for itself gets resource_deadlock_would_occur") {
    in_scheduler([] {
        coir::fiber<void> self;
        std::error_code joined, waited;
        self = coir::spawn([&] {
            joined = code_of([&] { self.join(); });
            waited = code_of([&] { self.wait_for(1ms); });
        });
        coir::this_fiber::yield();
        CHECK(joined == std::errc::resource_deadlock_would_occur);
        CHECK(waited == std::errc::resource_deadlock_would_occur);
    });
}

TEST_CASE("fiber: a second joiner gets operation_not_permitted, until the first has given up") {
    in_scheduler([] {
        bool go_on = false;
        auto awaited = coir::spawn([&] {
            while (!go_on) coir::this_fiber::yield();
        });
        auto first = coir::spawn([&] { return awaited.wait_for(5ms); });
        coir::this_fiber::yield();
        CHECK(code_of([&] { awaited.join(); }) == std::errc::operation_not_permitted);
        CHECK(code_of([&] { awaited.wait_for(1ms); }) == std::errc::operation_not_permitted);
        CHECK(first.get() == std::future_status::timeout);
        go_on = true;
        awaited.join();
    });
}

TEST_CASE("fiber: a stopped joiner no longer waits, and another fiber may join") {
    in_scheduler([] {
        bool go_on = false;
        auto awaited = coir::spawn([&] {
            while (!go_on) coir::this_fiber::yield();
            return 1;
        });
        auto joiner = coir::spawn([&] { awaited.join(); });
        coir::this_fiber::yield();
        joiner.request_stop();
        CHECK_THROWS_AS(joiner.get(), coir::fiber_stopped);
        go_on = true;
        CHECK(awaited.get() == 1);
    });
}

TEST_CASE("fiber: a fiber of another scheduler cannot be joined or stopped from this one") {
    in_scheduler([] {
        auto mine = coir::spawn(wait_for_stop);
        coir::this_fiber::yield();
        const other_thread other{[&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(mine.join(), coir::wrong_scheduler);
                CHECK_THROWS_AS(mine.request_stop(), coir::wrong_scheduler);
            });
        }};
        CHECK_FALSE(mine.done());
    });
}

TEST_CASE("fiber: a plain thread can neither join nor stop a running fiber") {
    in_scheduler([] {
        auto mine = coir::spawn(wait_for_stop);
        const other_thread other{[&] {
            CHECK_THROWS_AS(mine.join(), coir::wrong_scheduler);
            CHECK_THROWS_AS(mine.wait_for(1ms), coir::wrong_scheduler);
            CHECK_THROWS_AS(mine.request_stop(), coir::wrong_scheduler);
        }};
        CHECK(mine.joinable());
    });
}

// ---- ownership ---------------------------------------------------------------------------------------------------

TEST_CASE("fiber: a moved-from handle is empty") {
    in_scheduler([] {
        auto one = coir::spawn([] { return 1; });
        coir::fiber<int> two = std::move(one);
        CHECK_FALSE(one.joinable());
        CHECK(two.joinable());
        CHECK(two.get() == 1);
    });
}

TEST_CASE("fiber: destroying the handle requests a stop and joins") {
    in_scheduler([] {
        bool began = false, stopped = false;
        {
            auto fiber = coir::spawn([&] {
                began = true;
                try {
                    wait_for_stop();
                } catch (const coir::cancelled&) {
                    stopped = true;
                    throw;
                }
            });
            CHECK_FALSE(began);
        }
        CHECK(began);
        CHECK(stopped);
    });
}

TEST_CASE("fiber: assigning to a handle stops and joins its previous fiber") {
    in_scheduler([] {
        bool stopped = false;
        auto handle = coir::spawn([&] {
            try {
                wait_for_stop();
            } catch (const coir::cancelled&) {
                stopped = true;
                throw;
            }
        });
        coir::this_fiber::yield();
        handle = coir::spawn([] {});
        CHECK(stopped);
        CHECK(handle.id() == 3);
        handle = {};
        CHECK_FALSE(handle.joinable());
    });
}

TEST_CASE("fiber: the destructor waits even in a fiber that is being stopped") {
    in_scheduler([] {
        bool inner_ended = false;
        auto outer = coir::spawn([&] {
            auto inner = coir::spawn([&] {
                try {
                    wait_for_stop();
                } catch (const coir::cancelled&) {
                    inner_ended = true;
                    throw;
                }
            });
            wait_for_stop();
        });
        coir::this_fiber::yield();
        outer.request_stop();
        outer.join();
        CHECK(inner_ended);
    });
}

TEST_CASE("fiber: the destructor waits during stack unwinding") {
    in_scheduler([] {
        bool ended = false;
        CHECK_THROWS_AS(
            [&] {
                auto fiber = coir::spawn([&] {
                    try {
                        wait_for_stop();
                    } catch (const coir::cancelled&) {
                        ended = true;
                        throw;
                    }
                });
                coir::this_fiber::yield();
                throw std::runtime_error{"unwinds"};
            }(),
            std::runtime_error);
        CHECK(ended);
    });
}

TEST_CASE("fiber: a fiber that destroys its own handle aborts") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            auto handle = std::make_unique<coir::fiber<void>>();
            *handle = coir::spawn([&] { handle.reset(); });
            coir::this_fiber::sleep_for(1s);
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("a fiber destroys its own handle"));
}

TEST_CASE("fiber: destroying a handle while another fiber waits for its end aborts") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            auto handle = std::make_unique<coir::fiber<void>>(coir::spawn([] { coir::this_fiber::sleep_for(1h); }));
            auto joiner = coir::spawn([&] { handle->join(); });
            coir::this_fiber::yield();
            handle.reset();
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("destroyed while another fiber waits for its end"));
}

TEST_CASE("fiber: a detached fiber continues, and run waits for it") {
    bool ended = false;
    in_scheduler([&] {
        auto fiber = coir::spawn([&] {
            for (int i = 0; i < 5; ++i) {
                try {
                    coir::this_fiber::yield();
                } catch (const coir::cancelled&) {  // run ends, but waits for this fiber
                }
            }
            ended = true;
        });
        fiber.detach();
        CHECK_FALSE(fiber.joinable());
    });
    CHECK(ended);
}

TEST_CASE("fiber: detaching an ended fiber destroys its result") {
    in_scheduler([] {
        auto shared = std::make_shared<int>(1);
        auto holds = coir::spawn([shared] { return shared; });
        coir::this_fiber::yield();
        CHECK(shared.use_count() == 2);
        holds.detach();
        CHECK(shared.use_count() == 1);
    });
}

TEST_CASE("fiber: a handle may outlive run, and get still returns the result") {
    coir::fiber<std::string> value;
    coir::fiber<void> failure, stopped;
    in_scheduler([&] {
        value = coir::spawn([] { return std::string{"kept"}; });
        failure = coir::spawn({.name = "failing"}, [] { throw std::runtime_error{"kept as well"}; });
        stopped = coir::spawn(wait_for_stop);
    });
    CHECK(value.done());
    value.join();
    CHECK(value.wait_for(0s) == std::future_status::ready);
    CHECK(value.get() == "kept");
    CHECK(failure.name() == "failing");
    CHECK_THROWS_WITH(failure.get(), "kept as well");
    stopped.request_stop();
    CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
}

TEST_CASE("fiber: a handle that outlives run may be destroyed or detached without get") {
    const coir::test::captured_log log;
    {
        coir::fiber<std::string> value, detached;
        coir::fiber<void> failure;
        in_scheduler([&] {
            value = coir::spawn([] { return std::string(1000, 'x'); });
            detached = coir::spawn([] { return std::string(1000, 'y'); });
            failure = coir::spawn({.name = "late"}, [] { throw std::runtime_error{"unheard"}; });
        });
        detached.detach();
    }
    CHECK(log.count("unheard") == 1);
    CHECK(log.count("\"late\"") == 1);
}

// ---- unhandled exceptions -----------------------------------------------------------------------------------------

TEST_CASE("fiber: on_unhandled_exception gets the exception of a detached fiber, once, with the fiber's name") {
    collected failures;
    in_scheduler(failures.options(), [] {
        coir::spawn({.name = "early"}, [] { throw std::runtime_error{"one"}; }).detach();
        coir::spawn([] { throw 2; }).detach();
        coir::this_fiber::yield();
        auto ended = coir::spawn({.name = "late"}, [] { throw std::runtime_error{"three"}; });
        ended.join();
        ended.detach();
    });
    CHECK(failures.all == std::vector<std::string>{"early: one", ": not a std::exception", "late: three"});
}

TEST_CASE("fiber: on_unhandled_exception gets the exception of a fiber whose handle is destroyed, once") {
    collected failures;
    in_scheduler(failures.options(), [] {
        {
            auto fiber = coir::spawn({.name = "ended"}, [] { throw std::runtime_error{"one"}; });
            coir::this_fiber::yield();
        }
        {
            auto fiber = coir::spawn({.name = "stopped"}, [] {
                try {
                    wait_for_stop();
                } catch (const coir::cancelled&) {
                    throw std::runtime_error{"two"};
                }
            });
        }
    });
    CHECK(failures.all == std::vector<std::string>{"ended: one", "stopped: two"});
}

TEST_CASE("fiber: an exception thrown by get, and a stop, are not reported as unhandled") {
    collected failures;
    in_scheduler(failures.options(), [] {
        CHECK_THROWS_AS(coir::spawn([] { throw std::runtime_error{"seen"}; }).get(), std::runtime_error);
        coir::spawn(wait_for_stop).detach();
        const auto stopped = coir::spawn(wait_for_stop);
    });
    CHECK(failures.all.empty());
}

TEST_CASE("fiber: on_unhandled_exception runs in the fiber that ends, and may suspend") {
    std::uint64_t ran_in = 0, expected = 0;
    bool other_ran = false;
    coir::run_options options;
    options.on_unhandled_exception = [&](const std::exception_ptr&, std::string_view) {
        ran_in = coir::this_fiber::id();
        coir::this_fiber::sleep_for(1ms);
        CHECK(other_ran);
    };
    in_scheduler(options, [&] {
        auto fails = coir::spawn([] { throw 1; });
        expected = fails.id();
        fails.detach();
        auto other = coir::spawn([&] { other_ran = true; });
        other.join();
        coir::this_fiber::sleep_for(5ms);
    });
    CHECK(ran_in == expected);
}

TEST_CASE("fiber: by default an unhandled exception is logged as an error, with the fiber's name") {
    const coir::test::captured_log log;
    in_scheduler([] {
        coir::spawn({.name = "worker"}, [] { throw std::runtime_error{"no more paper"}; }).detach();
        coir::this_fiber::yield();
    });
    CHECK(log.count("[error] fiber #2 \"worker\", spawned at ") == 1);
    CHECK(log.count(" failed and its result was never retrieved: no more paper") == 1);
}

TEST_CASE("fiber: an exception from on_unhandled_exception is logged, and other fibers continue") {
    const coir::test::captured_log log;
    coir::run_options options;
    options.on_unhandled_exception = [](const std::exception_ptr& failure, std::string_view) {
        std::rethrow_exception(failure);
    };
    const int answer = in_scheduler(options, [] {
        coir::spawn([] { throw std::runtime_error{"again"}; }).detach();
        coir::this_fiber::yield();
        return 42;
    });
    CHECK(answer == 42);
    CHECK(log.count("[error] run_options::on_unhandled_exception threw") == 1);
}

// ---- stops, as the handle sees them ------------------------------------------------------------------------------

TEST_CASE("fiber: get of a fiber that ended with a stop throws fiber_stopped") {
    in_scheduler([] {
        auto fiber = coir::spawn([] {
            wait_for_stop();
            return 1;
        });
        fiber.request_stop();
        fiber.join();
        CHECK(fiber.done());
        CHECK_THROWS_AS(fiber.get(), coir::fiber_stopped);
        CHECK_FALSE(fiber.joinable());
    });
}

TEST_CASE("fiber: a fiber that returns in spite of a stop has a result") {
    in_scheduler([] {
        auto fiber = coir::spawn([] {
            try {
                wait_for_stop();
            } catch (const coir::cancelled&) {
            }
            return 5;
        });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK(fiber.get() == 5);
    });
}

TEST_CASE("fiber: requesting the stop of an ended fiber does nothing") {
    in_scheduler([] {
        auto fiber = coir::spawn([] { return 5; });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK(fiber.get() == 5);
    });
}

TEST_CASE("fiber: get throws if there is no memory for the fiber's stack, and other fibers continue") {
    struct refuses {
        boost::context::stack_context allocate() {
            throw std::system_error{ENOMEM, std::generic_category(), "no stack"};
        }
        void deallocate(boost::context::stack_context&) noexcept {}
    };
    collected failures;
    auto options = failures.options();
    options.stack_allocator = refuses{};
    in_scheduler(options, [] {
        bool ran = false, destroyed = false;
        const std::shared_ptr<void> closure{nullptr, [&](void*) { destroyed = true; }};
        auto fails = coir::spawn([&ran, closure] { ran = true; });
        auto works = coir::spawn({.stack_size = 64 << 10}, [] { return 1; });
        CHECK(code_of([&] { fails.get(); }) == std::errc::not_enough_memory);
        CHECK(works.get() == 1);
        CHECK_FALSE(ran);
        coir::spawn({.name = "alone"}, [] {}).detach();
        coir::this_fiber::yield();
    });
    CHECK(failures.all.size() == 1);
    CHECK(failures.all.front().find("alone: no stack") == 0);
}
