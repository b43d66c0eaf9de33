#include <coir/fiber.hpp>
#include <coir/gather.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/cores.hpp>
#include <coir/thread/offload_pool.hpp>
#include <coir/timeout.hpp>

#include "base/sanitizers.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/threads_called.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <pthread.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

using coir::test::in_scheduler;
using coir::test::threads_called;
using namespace std::chrono_literals;

namespace {

/// Keeps the threads of a pool busy until `end`. Must be constructed in a fiber.
class held_threads {
public:
    held_threads(coir::offload_pool& pool, int count) {
        for (int i = 0; i < count; ++i) {
            fibers_.push_back(coir::spawn([this, &pool] {
                pool.offload([this] {
                    ++begun_;
                    over_.wait(false);
                });
            }));
        }
        while (begun_ < count) coir::this_fiber::sleep_for(100us);
    }
    ~held_threads() { end(); }

    void end() {
        over_ = true;
        over_.notify_all();
        for (auto& each : fibers_) each.join();
    }

private:
    std::atomic<int> begun_ = 0;
    std::atomic<bool> over_ = false;
    std::vector<coir::fiber<void>> fibers_;
};

/// Offloads nested work to the given depth, and returns the depth.
int descend(coir::offload_pool& pool, int levels) {
    if (levels == 0) return 0;
    return 1 + coir::run([&] { return pool.offload([&] { return descend(pool, levels - 1); }); });
}

std::string name_of_this_thread() {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    return name;
}

}  // namespace

TEST_CASE("offload_pool: work runs in threads of its own, which have its name") {
    coir::offload_pool pool{{.threads = 2, .name = "a name that is too long"}};
    CHECK(pool.threads() == 2);
    in_scheduler([&] {
        CHECK(pool.offload(name_of_this_thread) == "a name that is ");
        CHECK(coir::offload(name_of_this_thread) == "coir-offload");
    });
}

TEST_CASE("offload_pool: has by default as many threads as the process has cores") {
    CHECK(coir::offload_pool{}.threads() == coir::available_cores());
}

TEST_CASE("offload_pool: supports results, arguments, exceptions and stop tokens like offload") {
    coir::offload_pool pool{{.threads = 1}};
    in_scheduler([&] {
        CHECK(pool.offload([](int a, int b) { return a * b; }, 6, 7) == 42);
        int number = 1;
        CHECK(&pool.offload([&]() -> int& { return number; }) == &number);
        CHECK_THROWS_AS(pool.offload([] { throw std::domain_error{"mine"}; }), std::domain_error);
        CHECK_FALSE(pool.offload([](const std::stop_token& stop) { return stop.stop_requested(); }));
    });
    CHECK_THROWS_AS(pool.offload([] {}), coir::not_in_fiber);
}

TEST_CASE("offload_pool: runs at most as many calls as it has threads, the others in order") {
    coir::offload_pool pool{{.threads = 1}};
    in_scheduler([&] {
        std::vector<int> order;
        std::vector<std::function<void()>> calls;
        for (int i = 0; i < 20; ++i) {
            calls.emplace_back([&, i] { pool.offload([&, i] { order.push_back(i); }); });
        }
        coir::gather(calls);
        for (int i = 0; i < 20; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    });
}

TEST_CASE("offload_pool: a busy pool does not affect the default pool") {
    coir::offload_pool pool{{.threads = 1}};
    in_scheduler([&] {
        const held_threads busy{pool, 1};
        CHECK(coir::offload([] { return 42; }) == 42);
    });
}

TEST_CASE("offload_pool: a call beyond the queue limit is refused at once") {
    coir::offload_pool pool{{.threads = 2, .queue_limit = 1, .name = "narrow"}};
    in_scheduler([&] {
        held_threads busy{pool, 2};
        auto waits = coir::spawn([&] { return pool.offload([] { return 42; }); });
        coir::this_fiber::yield();
        bool ran = false;
        try {
            pool.offload([&] { ran = true; });
            FAIL("it was taken");
        } catch (const std::system_error& refused) {
            CHECK(refused.code() == std::errc::resource_unavailable_try_again);
            CHECK(std::string{refused.what()}.find("'narrow'") != std::string::npos);
        }
        busy.end();
        CHECK(waits.get() == 42);
        CHECK_FALSE(ran);
        CHECK(pool.offload([] { return 1; }) == 1);  // the queue has space again
    });
}

TEST_CASE("offload_pool: with a queue limit of 0, a call is refused unless a thread is free") {
    coir::offload_pool pool{{.threads = 1, .queue_limit = 0}};
    in_scheduler([&] {
        for (int i = 0; i < 100; ++i) CHECK(pool.offload([i] { return i; }) == i);
        const held_threads busy{pool, 1};
        CHECK_THROWS_AS(pool.offload([] {}), std::system_error);
    });
}

TEST_CASE("offload_pool: a stop or an expired scope withdraws queued work, and frees its slot in the queue") {
    coir::offload_pool pool{{.threads = 1, .queue_limit = 1}};
    in_scheduler([&] {
        const held_threads busy{pool, 1};
        bool ran = false;
        auto waits = coir::spawn([&] { pool.offload([&] { ran = true; }); });
        coir::this_fiber::yield();
        waits.request_stop();
        CHECK_THROWS_AS(waits.get(), coir::fiber_stopped);
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { pool.offload([&] { ran = true; }); }), coir::timed_out);
        CHECK_FALSE(ran);
    });
}

TEST_CASE("offload_pool: nested work deeper than the number of threads completes") {
    coir::offload_pool pool{{.threads = 1}};
    CHECK(descend(pool, 10) == 10);
    coir::offload_pool wider{{.threads = 3}};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { CHECK(descend(wider, 8) == 8); });
    for (auto& each : threads) each.join();
}

TEST_CASE("offload_pool: nested work is not refused") {
    coir::offload_pool pool{{.threads = 1, .queue_limit = 0}};
    CHECK(descend(pool, 3) == 3);
}

TEST_CASE("offload_pool: nested work that comes back through another pool completes") {
    coir::offload_pool one{{.threads = 1}};
    coir::offload_pool other{{.threads = 1}};
    const auto there = [&](auto& next) { return coir::run([&] { return other.offload(next); }); };
    CHECK(in_scheduler([&] {
              return one.offload([&] {
                  auto back = [&] { return coir::run([&] { return one.offload([] { return 42; }); }); };
                  return there(back);
              });
          }) == 42);
}

TEST_CASE("offload_pool: nested work does not increase the number of other calls that run concurrently") {
    coir::offload_pool pool{{.threads = 2}};
    in_scheduler([&] {
        std::atomic<int> outer = 0;
        std::atomic<int> most = 0;
        std::vector<std::function<void()>> calls(30, [&] {
            pool.offload([&] {
                const int now = ++outer;
                for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
                }
                coir::run([&] {
                    const auto nested = [&] { pool.offload([] {}); };
                    coir::gather(nested, nested, nested);
                });
                --outer;
            });
        });
        coir::gather(calls);
        CHECK(most <= 2);
    });
}

TEST_CASE("offload_pool: extra threads for nested work end when they are idle") {
    coir::offload_pool pool{{.threads = 1, .name = "beyond"}};
    CHECK(descend(pool, 5) == 5);
    while (threads_called("beyond") > 1) std::this_thread::yield();  // does not terminate if they do not end
    CHECK(descend(pool, 5) == 5);
}

TEST_CASE("offload_pool: may be used by several threads, and destroyed by the fiber that used it last") {
    for (int i = 0; i < 100; ++i) {
        in_scheduler([] {
            coir::offload_pool pool{{.threads = 2}};
            CHECK(pool.offload([] { return 42; }) == 42);
        });
    }
    coir::offload_pool pool{{.threads = 2}};
    std::atomic<int> sum = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            in_scheduler([&] {
                for (int i = 0; i < 50; ++i) sum += pool.offload([] { return 1; });
            });
        });
    }
    for (auto& each : threads) each.join();
    CHECK(sum == 200);
}

TEST_CASE("offload_pool: destroying it while work is queued aborts the program") {
    const auto after = coir::test::in_child([] {
        in_scheduler([] {
            std::optional<coir::offload_pool> pool{std::in_place, coir::offload_pool_options{.threads = 1}};
            std::promise<void> begun;
            auto runs = coir::spawn([&] {
                pool->offload([&] {
                    begun.set_value();
                    for (;;) std::this_thread::sleep_for(1h);
                });
            });
            auto waits = coir::spawn([&] { pool->offload([] {}); });
            coir::this_fiber::yield();
            coir::offload([&] { begun.get_future().wait(); });
            pool.reset();
        });
    });
    CHECK(after.died());
    CHECK(after.says("destroyed while work waits"));
}

#if !defined(COIR_TSAN)  // ThreadSanitizer does not support threads in the child of a multi-threaded process
TEST_CASE("offload_pool: in a forked child it refuses work and may be destroyed, and a new pool works") {
    auto inherited = std::make_unique<coir::offload_pool>(coir::offload_pool_options{.threads = 1});
    in_scheduler([&] { inherited->offload([] {}); });
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(in_scheduler([&] {
            const auto refused = coir::test::error_of([&] { inherited->offload([] {}); });
            inherited.reset();
            coir::offload_pool own{{.threads = 1}};
            return own.offload([&] { return refused == std::errc::operation_not_permitted ? 42 : 1; });
        }));
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
}
#endif

TEST_CASE("offload_pool: other work gets a thread although nested work occupies one within the limit") {
    in_scheduler([] {
        coir::offload_pool pool{{.threads = 2, .queue_limit = 0}};
        std::promise<void> nested_runs;
        std::promise<void> other_ran;
        auto outer = coir::spawn([&] {
            pool.offload([&] {
                coir::run([&] {
                    pool.offload([&] {
                        nested_runs.set_value();
                        other_ran.get_future().get();
                    });
                });
            });
        });
        coir::offload([&] { nested_runs.get_future().get(); });
        pool.offload([&] { other_ran.set_value(); });
        outer.get();
    });
}

TEST_CASE("offload: work that runs during the exit of the process may offload") {
    const auto child = coir::test::in_child([] {
        coir::test::forget_leaks();
        coir::run([] {
            std::promise<void> begun;
            std::promise<void> exits;
            const auto outer = coir::spawn([&] {
                coir::offload([&] {
                    begun.set_value();
                    exits.get_future().get();
                    coir::run([] { coir::offload([] {}); });
                });
            });
            coir::offload([&] { begun.get_future().get(); });
            exits.set_value();
            std::exit(0);
        });
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("offload: nested work may exit the process") {
    const auto child = coir::test::in_child([] {
        coir::test::forget_leaks();
        coir::run([] { coir::offload([] { coir::run([] { coir::offload([] { std::exit(0); }); }); }); });
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}
