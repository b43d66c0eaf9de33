#include <coir/fiber.hpp>
#include <coir/fiber_local.hpp>
#include <coir/this_fiber.hpp>

#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using coir::test::in_scheduler;

namespace {

coir::fiber_local<int> number;
coir::fiber_local<std::string> text{"initial"};

/// Calls a function when it is destroyed.
struct at_end {
    ~at_end() {
        if (call) call();
    }
    std::function<void()> call;
};

coir::fiber_local<at_end> first_made;
coir::fiber_local<at_end> second_made;
coir::fiber_local<std::unique_ptr<int>> only_moves;

}  // namespace

TEST_CASE("fiber_local: each fiber starts with the initial value and has its own value") {
    in_scheduler([] {
        CHECK(*number == 0);
        CHECK(*text == "initial");
        *number = 1;
        *text = "main";
        std::vector<coir::fiber<bool>> fibers;
        for (int i = 2; i < 6; ++i) {
            fibers.push_back(coir::spawn([i] {
                const bool fresh = *number == 0 && *text == "initial";
                *number = i;
                text->assign(std::to_string(i));
                coir::this_fiber::yield();
                return fresh && *number == i && text.get() == std::to_string(i);
            }));
        }
        for (auto& each : fibers) CHECK(each.get());
        CHECK(*number == 1);
        CHECK(*text == "main");
    });
}

TEST_CASE("fiber_local: a fiber that reuses the stack of another does not see its values") {
    in_scheduler([] {
        for (int i = 0; i < 3; ++i) {
            CHECK(coir::spawn([] { return ++*number; }).get() == 1);
        }
    });
}

TEST_CASE("fiber_local: a move-only value works, and is destroyed with its fiber") {
    in_scheduler([] {
        CHECK(*only_moves == nullptr);
        *only_moves = std::make_unique<int>(4);
        CHECK(**only_moves == 4);
    });
    in_scheduler([] { CHECK(*only_moves == nullptr); });
}

TEST_CASE("fiber_local: values are destroyed in their fiber when it ends, in reverse order of construction") {
    in_scheduler([] {
        std::string order;
        std::uint64_t destroyed_in = 0;
        auto fiber = coir::spawn([&] {
            first_made->call = [&] {
                order += "first";
                destroyed_in = coir::this_fiber::id();
            };
            second_made->call = [&] { order += "second "; };
            order += "body ";
        });
        const auto id = fiber.id();
        fiber.join();
        CHECK(order == "body second first");
        CHECK(destroyed_in == id);
    });
}

TEST_CASE("fiber_local: values are destroyed also if the fiber throws, and their destructors may suspend") {
    in_scheduler([] {
        bool destroyed = false;
        auto fiber = coir::spawn([&] {
            first_made->call = [&] {
                coir::this_fiber::yield();
                destroyed = true;
            };
            throw std::runtime_error{"fails"};
        });
        CHECK_THROWS_AS(fiber.get(), std::runtime_error);
        CHECK(destroyed);
    });
}

TEST_CASE("fiber_local: a destructor that accesses a variable creates it again, and this value is destroyed too") {
    in_scheduler([] {
        std::string order;
        auto fiber = coir::spawn([&] {
            second_made->call = [&] {
                order += "second ";
                first_made->call = [&] { order += "first"; };
            };
        });
        fiber.join();
        CHECK(order == "second first");
    });
}

TEST_CASE("fiber_local: values that on_unhandled_exception accesses are destroyed too") {
    bool destroyed = false;
    coir::run_options options;
    options.on_unhandled_exception = [&](const std::exception_ptr&, std::string_view) {
        first_made->call = [&] { destroyed = true; };
    };
    in_scheduler(options, [] {
        coir::spawn([] { throw 1; }).detach();
        coir::this_fiber::yield();
    });
    CHECK(destroyed);
}

TEST_CASE("fiber_local: an exception from the initialiser leaves the fiber unchanged") {
    struct fails {
        fails() { throw std::runtime_error{"no"}; }
    };
    coir::fiber_local<fails> never_made;
    in_scheduler([&] {
        CHECK_THROWS_WITH(*never_made, "no");
        CHECK_THROWS_WITH(*never_made, "no");
    });
}

TEST_CASE("fiber_local: a variable at the address of one that was destroyed has its own initial value") {
    in_scheduler([] {
        std::vector<int> ended;
        for (int i = 1; i <= 3; ++i) {
            const coir::fiber_local<std::string> each{std::to_string(i)};
            CHECK(*each == std::to_string(i));
            *each += " changed";
        }
        auto other = coir::spawn([&ended] {
            {
                coir::fiber_local<at_end> local;
                local->call = [&ended] { ended.push_back(1); };
            }
            CHECK(ended.empty());  // the value lives as long as its fiber
        });
        other.get();
        CHECK(ended == std::vector{1});
    });
}
