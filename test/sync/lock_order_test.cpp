#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/sync/condition_variable.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/sync/shared_mutex.hpp>
#include <coir/this_fiber.hpp>

#include "base/symbols.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "sync/lock_order.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <utility>

using coir::detail::lock_order;
using coir::test::captured_log;
using coir::test::in_scheduler;

namespace {

/// Runs `body` with the check enabled, and returns the logged text.
std::string warnings_of(auto&& body) {
    struct checking {
        const bool before = std::exchange(lock_order::is_checked, true);
        ~checking() { lock_order::is_checked = before; }
    } const at_end;
    const captured_log log;
    in_scheduler(body);
    return log.text();
}

int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

constexpr const char* headline = "mutexes are taken in orders that can end in a deadlock";

std::string named(const char* kind, const auto& mutex) {
    std::ostringstream text;
    text << kind << " (" << static_cast<const void*>(&mutex) << ')';
    return text.str();
}

void take_both(auto& first, auto& then) {
    const std::unique_lock held{first};
    const std::unique_lock wanted{then};
}

}  // namespace

TEST_CASE("lock order: two mutexes locked in both orders cause a warning, even if no fiber had to wait") {
    coir::mutex one;
    coir::mutex two;
    const std::string log = warnings_of([&] {
        coir::spawn({.name = "forth"}, [&] { take_both(one, two); }).get();
        coir::spawn({.name = "back"}, [&] { take_both(two, one); }).get();
    });
    CHECK(count(log, headline) == 1);
    CHECK(count(log, "fiber #3 \"back\" takes the " + named("mutex", one) + " at ") == 1);
    CHECK(count(log, "while it holds the " + named("mutex", two) + ", taken at ") == 1);
    CHECK(count(log, "fiber #2 \"forth\" has taken the " + named("mutex", two) + " at ") == 1);
    CHECK(count(log, "while it held the " + named("mutex", one) + ", taken at ") == 1);
    CHECK(count(log, "take them in one order everywhere, or both at once with std::scoped_lock") == 1);
}

TEST_CASE("lock order: the locations in a warning are the user's own lines") {
    if (!coir::detail::has_source_lines()) return;
    coir::mutex one;
    coir::mutex two;
    coir::condition_variable changed;
    const std::string log = warnings_of([&] {
        {
            const std::unique_lock held{one};
            two.lock();
            two.unlock();
        }
        const std::scoped_lock held{two};
        std::unique_lock waits{one, std::try_to_lock};
        changed.wait_for(waits, std::chrono::milliseconds{1});  // locks it again
    });
    CHECK(count(log, headline) == 1);
    CHECK(count(log, "lock_order_test.cpp:") == 4);
}

TEST_CASE("lock order: a pair causes one warning") {
    coir::mutex one;
    coir::mutex two;
    const std::string log = warnings_of([&] {
        for (int i = 0; i < 3; ++i) {
            take_both(one, two);
            take_both(two, one);
        }
    });
    CHECK(count(log, headline) == 1);
}

TEST_CASE("lock order: the warning comes before the fibers deadlock") {
    coir::mutex one;
    coir::mutex two;
    const auto take_late = [](coir::mutex& first, coir::mutex& then) {
        const std::scoped_lock held{first};
        coir::this_fiber::yield();
        const std::scoped_lock wanted{then};
    };
    const std::string log = warnings_of([&] {
        auto stuck = coir::spawn([&] {
            auto a = coir::spawn([&] { take_late(one, two); });
            auto b = coir::spawn([&] { take_late(two, one); });
            a.join();
        });
        for (int i = 0; i < 9; ++i) coir::this_fiber::yield();
        CHECK_FALSE(stuck.done());
    });
    CHECK(count(log, headline) == 1);
}

TEST_CASE("lock order: a cycle of three causes a warning that contains each step") {
    coir::mutex a;
    coir::mutex b;
    coir::mutex c;
    const std::string log = warnings_of([&] {
        take_both(a, b);
        take_both(b, c);
        take_both(c, a);
    });
    CHECK(count(log, headline) == 1);
    CHECK(count(log, " takes the " + named("mutex", a)) == 1);
    CHECK(count(log, " has taken the " + named("mutex", b)) == 1);
    CHECK(count(log, " has taken the " + named("mutex", c)) == 1);
}

TEST_CASE("lock order: mutexes of all kinds count, and shared locks of a shared_mutex too") {
    coir::recursive_mutex recursive;
    coir::shared_mutex shared;
    coir::mutex plain;
    const std::string log = warnings_of([&] {
        take_both(recursive, shared);
        {
            const std::shared_lock held{shared};
            take_both(plain, recursive);
        }
    });
    CHECK(count(log, headline) == 1);
    CHECK(count(log, " takes the " + named("recursive_mutex", recursive)) == 1);
    CHECK(count(log, "holds the " + named("shared_mutex", shared)) == 1);
}

TEST_CASE("lock order: a consistent order, recursive locking, and consecutive locks cause no warning") {
    coir::recursive_mutex recursive;
    coir::mutex one;
    coir::mutex two;
    const std::string log = warnings_of([&] {
        take_both(one, two);
        take_both(one, two);
        {
            const std::scoped_lock held{recursive};
            const std::scoped_lock inside{one};
            const std::scoped_lock again{recursive};
        }
        take_both(recursive, two);
        { const std::scoped_lock alone{two}; }
        { const std::scoped_lock alone{one}; }
    });
    CHECK(log.empty());
}

TEST_CASE("lock order: std::scoped_lock and std::lock may lock in any order") {
    coir::mutex one;
    coir::mutex two;
    coir::shared_mutex three;
    const std::string log = warnings_of([&] {
        const auto forth = [&] {
            for (int i = 0; i < 10; ++i) {
                const std::scoped_lock all{one, two, three};
                coir::this_fiber::yield();
            }
        };
        const auto back = [&] {
            for (int i = 0; i < 10; ++i) {
                std::unique_lock c{three, std::defer_lock};
                std::unique_lock b{two, std::defer_lock};
                std::unique_lock a{one, std::defer_lock};
                std::lock(c, b, a);
                coir::this_fiber::yield();
            }
        };
        auto a = coir::spawn(forth);
        auto b = coir::spawn(back);
        a.get();
        b.get();
    });
    CHECK(log.empty());
}

TEST_CASE("lock order: a mutex locked with try_lock has no predecessors, but successors") {
    coir::mutex one;
    coir::mutex two;
    const auto take_second = [](coir::mutex& first, coir::mutex& then) {
        const std::unique_lock held{first, std::try_to_lock};
        const std::unique_lock wanted{then};
    };
    const std::string tried_second = warnings_of([&] {
        take_both(one, two);
        const std::unique_lock held{two};
        const std::unique_lock tried{one, std::try_to_lock};
        CHECK(tried);
    });
    CHECK(tried_second.empty());
    CHECK(count(warnings_of([&] {
                    take_second(one, two);
                    take_second(two, one);
                }),
                headline) == 1);
}

TEST_CASE("lock order: a lock call that gave up locked nothing") {
    coir::mutex one;
    coir::mutex two;
    coir::mutex three;
    const std::string log = warnings_of([&] {
        const std::scoped_lock held{one};
        coir::spawn([&] {
            CHECK_FALSE(one.try_lock_for(std::chrono::milliseconds{1}));
            const std::scoped_lock wanted{two};
        }).get();
        coir::spawn([&] { take_both(two, three); }).get();
        const std::scoped_lock wanted{two};
    });
    CHECK(log.empty());
}

TEST_CASE("lock order: a shared lock released by another fiber is no longer held") {
    coir::shared_mutex shared;
    coir::mutex one;
    const std::string log = warnings_of([&] {
        take_both(one, shared);
        shared.lock_shared();
        coir::spawn([&] { shared.unlock_shared(); }).get();
        const std::scoped_lock lock{one};
    });
    CHECK(log.empty());
}

TEST_CASE("lock order: a destroyed mutex is forgotten, and a new one at its address has no history") {
    alignas(coir::mutex) std::byte place[sizeof(coir::mutex)];
    coir::mutex other;
    const std::string log = warnings_of([&] {
        const auto with_new_one = [&](auto&& use) {
            auto* const made = ::new (place) coir::mutex;
            use(*made);
            made->~mutex();
        };
        with_new_one([&](coir::mutex& made) { take_both(made, other); });
        with_new_one([&](coir::mutex& made) { take_both(other, made); });
    });
    CHECK(log.empty());
}

TEST_CASE("lock order: a run does not use the history of a previous run") {
    static coir::mutex one;
    static coir::mutex two;
    CHECK(warnings_of([] { take_both(one, two); }).empty());
    CHECK(warnings_of([] { take_both(two, one); }).empty());
}

TEST_CASE("lock order: a mutex locked before the check was enabled may be unlocked") {
    coir::mutex mutex;
    in_scheduler([&] {
        const bool before = std::exchange(lock_order::is_checked, false);
        mutex.lock();
        lock_order::is_checked = true;
        mutex.unlock();
        lock_order::is_checked = before;
    });
}

TEST_CASE("lock order: a lock taken with try_lock_shared is held as well") {
    coir::shared_mutex shared;
    coir::mutex other;
    const std::string log = warnings_of([&] {
        take_both(other, shared);
        const std::shared_lock held{shared, std::try_to_lock};
        const std::scoped_lock wanted{other};
    });
    CHECK(count(log, headline) == 1);
}

TEST_CASE("lock order: a static mutex may be destroyed in a fiber that ends the process") {
    const auto child = coir::test::in_child([] {
        coir::test::forget_leaks();
        lock_order::is_checked = true;
        static coir::mutex at_exit;
        coir::run({.blocking = {.policy = coir::blocking_policy::off}}, [] {
            at_exit.lock();
            at_exit.unlock();
            std::exit(0);
        });
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}
