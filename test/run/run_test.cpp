#include <coir/detail/core/wait_queue.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/fiber_local.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>

#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"

#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <memory>
#include <pthread.h>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;

// ---- results and exceptions --------------------------------------------------------------------------------------

TEST_CASE("run: returns the result of main: a value, void, a reference, or a move-only type") {
    CHECK(coir::run([] { return 42; }) == 42);
    bool ran = false;
    coir::run([&] { ran = true; });
    CHECK(ran);
    int target = 0;
    CHECK(&coir::run([&]() -> int& { return target; }) == &target);
    CHECK(*coir::run([] { return std::make_unique<int>(7); }) == 7);
}

TEST_CASE("run: main may be any callable, and is not copied") {
    struct callable {
        callable() = default;
        callable(const callable&) = delete;
        int operator()() & { return 1; }
        int operator()() && { return 2; }
    };
    callable named;
    CHECK(coir::run(named) == 1);
    CHECK(coir::run(callable{}) == 2);
    static int called = 0;
    coir::run(+[] { ++called; });
    CHECK(called == 1);
}

TEST_CASE("run: an exception of main is thrown after the other fibers have ended") {
    bool ended = false;
    CHECK_THROWS_WITH_AS(coir::run([&]() -> int {
                             coir::spawn([&] {
                                 try {
                                     coir::this_fiber::sleep_for(1h);
                                 } catch (const coir::cancelled&) {
                                     ended = true;
                                     throw;
                                 }
                             }).detach();
                             coir::this_fiber::yield();
                             throw std::out_of_range{"main"};
                         }),
                         "main", std::out_of_range);
    CHECK(ended);
    CHECK_THROWS_AS(coir::run([] { throw 7; }), int);
}

TEST_CASE("run: throws fiber_stopped if main ends with a stop") {
    CHECK_THROWS_AS(coir::run([] { throw coir::cancelled{}; }), coir::fiber_stopped);
}

TEST_CASE("run: throws logic_error within a fiber, and the fiber continues") {
    const int answer = coir::run([] {
        CHECK_THROWS_AS(coir::run([] {}), std::logic_error);
        return coir::spawn([] {
                   CHECK_THROWS_AS(coir::run([] {}), std::logic_error);
                   return 1;
               })
            .get();
    });
    CHECK(answer == 1);
}

TEST_CASE("run: consecutive runs are independent") {
    for (int i = 0; i < 20; ++i) {
        CHECK(coir::run([i] {
                  CHECK(coir::this_fiber::id() == 1);
                  return coir::spawn([i] {
                             coir::this_fiber::yield();
                             return i;
                         })
                      .get();
              }) == i);
    }
}

TEST_CASE("run: may be called in a handler, and during stack unwinding") {
    struct runs_when_destroyed {
        ~runs_when_destroyed() {
            result = coir::run([] {
                coir::this_fiber::yield();
                return std::uncaught_exceptions() + 1;
            });
        }
        int& result;
    };
    int result = 0;
    CHECK_THROWS_WITH(
        [&] {
            const runs_when_destroyed local{result};
            throw std::runtime_error{"unwinds"};
        }(),
        "unwinds");
    CHECK(result == 1);
}

// ---- the end of run -----------------------------------------------------------------------------------------------

TEST_CASE("run: remaining fibers are stopped and waited for, in any state") {
    std::string ended;
    coir::run([&] {
        const auto leave = [&](char name, auto body) {
            coir::spawn([&ended, name, body] {
                struct says {
                    ~says() { to += name; }
                    std::string& to;
                    char name;
                } const at_end{ended, name};
                body();
            }).detach();
        };
        leave('a', [] { coir::this_fiber::sleep_for(1h); });
        leave('b', [] { coir::this_fiber::sleep_until(coir::never); });
        leave('c', [] {
            for (;;) coir::this_fiber::yield();
        });
        coir::this_fiber::yield();
        leave('d', [] { coir::this_fiber::yield(); });  // spawned, but has not run
    });
    CHECK(ended.size() == 4);
    CHECK(std::set<char>{ended.begin(), ended.end()} == std::set{'a', 'b', 'c', 'd'});
}

TEST_CASE("run: stop callbacks at its end may do anything except suspend") {
    static coir::fiber_local<std::string> local{std::string(1000, 'x')};
    std::size_t length = 0;
    bool spawned_began = false;
    coir::run([&] {
        coir::spawn([&] {
            const std::stop_callback callback{coir::this_fiber::stop_token(), [&] {
                                                  length = local->size();
                                                  CHECK(coir::this_fiber::stop_token().stop_possible());
                                                  coir::spawn([&] { spawned_began = true; }).detach();
                                              }};
            coir::this_fiber::sleep_for(1h);
        }).detach();
        coir::this_fiber::yield();
    });
    CHECK(length == 1000);
    CHECK(spawned_began);
}

TEST_CASE("run: a fiber spawned during the drain starts stopped, and is waited for") {
    std::string did;
    coir::run([&] {
        coir::spawn([&] {
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
                coir::spawn([&] {
                    did += "began ";
                    if (coir::this_fiber::stop_token().stop_requested()) did += "stopped ";
                    try {
                        coir::this_fiber::yield();
                    } catch (const coir::cancelled&) {
                        did += "cancelled";
                        throw;
                    }
                }).detach();
                throw;
            }
        }).detach();
        coir::this_fiber::yield();
    });
    CHECK(did == "began stopped cancelled");
}

TEST_CASE("run: a fiber that stops slowly is waited for, and is named in the log every second") {
    const coir::test::captured_log log;
    bool ended = false;
    coir::run([&] {
        coir::spawn({.name = "stubborn"}, [&] {
            const auto end = std::chrono::steady_clock::now() + 2500ms;
            while (std::chrono::steady_clock::now() < end) {
                struct waits_unwinding {
                    // Shielded while an exception is in flight: this wait is not interrupted.
                    ~waits_unwinding() { coir::this_fiber::sleep_until(until); }
                    std::chrono::steady_clock::time_point until;
                };
                try {
                    const waits_unwinding local{end};
                    throw 1;
                } catch (int) {
                }
            }
            ended = true;
        }).detach();
        coir::this_fiber::yield();
    });
    CHECK(ended);
    CHECK(log.count("run: waiting for fibers that have not stopped") >= 1);
    CHECK(log.count("\"stubborn\": parked on sleep for ") >= 1);
}

TEST_CASE("run: the numbers of descriptors, threads and mappings do not change") {
    const auto count = [](const char* of) {
        return std::distance(std::filesystem::directory_iterator{of}, std::filesystem::directory_iterator{});
    };
    coir::run([] {});  // creates everything that is created only once
    const auto descriptors = count("/proc/self/fd");
    const auto threads = count("/proc/self/task");
    for (int i = 0; i < 10; ++i) {
        coir::run([] {
            std::vector<coir::fiber<void>> fibers;
            for (int j = 0; j < 100; ++j) fibers.push_back(coir::spawn([] { coir::this_fiber::sleep_for(1ms); }));
            for (auto& each : fibers) each.join();
        });
    }
    CHECK(count("/proc/self/fd") == descriptors);
    CHECK(count("/proc/self/task") == threads);
}

// ---- threads -----------------------------------------------------------------------------------------------------

TEST_CASE("run: many threads may run their own schedulers concurrently") {
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&sum] {
            for (int round = 0; round < 5; ++round) {
                sum += coir::run([] {
                    std::vector<coir::fiber<int>> fibers;
                    for (int i = 0; i < 50; ++i) {
                        fibers.push_back(coir::spawn([i] {
                            coir::this_fiber::sleep_for(std::chrono::microseconds{i});
                            try {
                                throw i;
                            } catch (int caught) {
                                coir::this_fiber::yield();
                                return caught;
                            }
                        }));
                    }
                    int total = 0;
                    for (auto& each : fibers) total += each.get();
                    return total;
                });
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(sum == 8 * 5 * 1225);
}

TEST_CASE("run: static objects work in a second run, and on another thread") {
    static coir::detail::wait_queue queue{"a static"};
    static coir::fiber_local<int> local{5};
    const auto use = [] {
        return coir::run([] {
            auto waits = coir::spawn([] {
                *local += 1;
                CHECK(queue.wait("test"));
                return *local;
            });
            coir::this_fiber::yield();
            queue.wake_all();
            return waits.get();
        });
    };
    CHECK(use() == 6);
    CHECK(use() == 6);
    int on_other_thread = 0;
    std::thread{[&] { on_other_thread = use(); }}.join();
    CHECK(on_other_thread == 6);
}

// ---- options -----------------------------------------------------------------------------------------------------

TEST_CASE("run: fibers have the stack size of the options") {
    coir::run_options options;
    options.stack_size = std::size_t{1} << 20;
    coir::run(options, [] {
        const auto left = coir::spawn([] { return coir::this_fiber::stack_remaining(); }).get();
        CHECK(left > std::size_t{900} << 10);
        CHECK(left < std::size_t{1} << 20);
    });
}

namespace {

/// Counts the stacks of another allocator.
template <class Allocator> struct counting {
    boost::context::stack_context allocate() {
        ++*allocated;
        return inner.allocate();
    }
    void deallocate(boost::context::stack_context& stack) {
        ++*deallocated;
        inner.deallocate(stack);
    }
    Allocator inner{};
    std::shared_ptr<int> allocated = std::make_shared<int>(0);
    std::shared_ptr<int> deallocated = std::make_shared<int>(0);
};

}  // namespace

TEST_CASE_TEMPLATE("run: the stacks may come from any allocator of Boost", Allocator, boost::context::fixedsize_stack,
                   boost::context::protected_fixedsize_stack) {
    const counting<Allocator> allocator{Allocator{128 << 10}};
    coir::run_options options;
    options.stack_allocator = allocator;
    const int sum = coir::run(options, [] {
        std::vector<coir::fiber<int>> fibers;
        for (int i = 0; i < 20; ++i) {
            fibers.push_back(coir::spawn([i] {
                coir::this_fiber::yield();
                CHECK(coir::this_fiber::stack_remaining() < 160 << 10);
                return i;
            }));
        }
        int total = 0;
        for (auto& each : fibers) total += each.get();
        // Fibers with their own stack size get the stack from coir.
        total += coir::spawn({.stack_size = 512 << 10}, [] {
                     return coir::this_fiber::stack_remaining() > 256 << 10 ? 1000 : 0;
                 }).get();
        return total;
    });
    CHECK(sum == 1190);
    CHECK(*allocator.allocated >= 20);
    CHECK(*allocator.allocated <= 21);
    CHECK(*allocator.deallocated == *allocator.allocated);
}

TEST_CASE("run: stacks from an allocator are reused") {
    const counting<boost::context::fixedsize_stack> allocator;
    coir::run_options options;
    options.stack_allocator = allocator;
    coir::run(options, [] {
        std::vector<coir::fiber<void>> fibers;
        for (int i = 0; i < 1000; ++i) fibers.push_back(coir::spawn([] {}));
        for (auto& each : fibers) each.join();
    });
    CHECK(*allocator.allocated < 50);
    CHECK(*allocator.deallocated == *allocator.allocated);
}

// ---- signals -----------------------------------------------------------------------------------------------------

namespace {

bool sigpipe_is_blocked() {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return ::sigismember(&mask, SIGPIPE) == 1;
}

bool sigpipe_is_pending() {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGPIPE) == 1;
}

void write_to_broken_pipe() {
    int fds[2];
    REQUIRE(::pipe(fds) == 0);
    ::close(fds[0]);
    CHECK(::write(fds[1], "x", 1) == -1);
    CHECK(errno == EPIPE);
    ::close(fds[1]);
}

}  // namespace

TEST_CASE("run: a broken pipe is an error and raises no SIGPIPE, and the thread's mask does not change") {
    REQUIRE_FALSE(sigpipe_is_blocked());
    coir::run([] {
        CHECK(sigpipe_is_blocked());
        write_to_broken_pipe();
        CHECK(sigpipe_is_pending());
    });
    CHECK_FALSE(sigpipe_is_blocked());
    CHECK_FALSE(sigpipe_is_pending());
}

TEST_CASE("run: a SIGPIPE that the program had blocked and pending stays pending") {
    sigset_t sigpipe, before;
    ::sigemptyset(&sigpipe);
    ::sigaddset(&sigpipe, SIGPIPE);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &sigpipe, &before) == 0);
    ::pthread_kill(::pthread_self(), SIGPIPE);
    coir::run(write_to_broken_pipe);
    CHECK(sigpipe_is_blocked());
    CHECK(sigpipe_is_pending());
    const timespec at_once{};
    ::sigtimedwait(&sigpipe, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// ---- limits ------------------------------------------------------------------------------------------------------

// Skipped with sanitizers, which need descriptors of their own.
TEST_CASE("run: without a descriptor for a scheduler, the system_error says what it was needed for" *
          doctest::skip(coir::test::sanitized)) {
    const auto how = coir::test::in_child([] {
        while (::dup(0) >= 0) {
        }
        coir::run([] {});
    });
    CHECK(how.exit_code == 3);
    CHECK(how.says("scheduler: cannot create an epoll instance"));
}

TEST_CASE("run: the maximum number of fibers for tests can be parked at the same time, and end") {
    const std::size_t ended = coir::run([] {
        std::size_t count = 0;
        std::vector<coir::fiber<void>> fibers;
        for (std::size_t i = 0; i < coir::test::many_fibers; ++i) {
            fibers.push_back(coir::spawn([&count] {
                try {
                    coir::this_fiber::sleep_for(1h);
                } catch (const coir::cancelled&) {
                    ++count;
                    throw;
                }
            }));
        }
        coir::this_fiber::yield();
        for (auto& each : fibers) each.request_stop();
        for (auto& each : fibers) each.join();
        return count;
    });
    CHECK(ended == coir::test::many_fibers);
}
