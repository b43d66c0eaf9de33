#include <coir/fiber.hpp>
#include <coir/gather.hpp>
#include <coir/net/unix.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/cores.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "base/sanitizers.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <set>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using coir::test::in_scheduler;
using coir::this_fiber::sleep_for;
using namespace std::chrono_literals;

namespace {

/// Keeps every thread of the pool busy until `end`.
class occupation {
public:
    occupation() {
        for (std::size_t i = 0; i < threads; ++i) {
            group_.spawn([this] {
                coir::offload([this] {
                    ++busy_;
                    over_.wait(false);
                });
            });
        }
        while (busy_ < threads) sleep_for(100us);
    }
    ~occupation() { end(); }

    void end() {
        over_ = true;
        over_.notify_all();
    }

private:
    const std::size_t threads = std::max(4U, coir::available_cores());
    std::atomic<std::size_t> busy_ = 0;
    std::atomic<bool> over_ = false;
    coir::task_group group_;
};

}  // namespace

TEST_CASE("offload: returns the result of a function that ran in another thread, outside of fibers") {
    in_scheduler([] {
        const auto here = std::this_thread::get_id();
        CHECK(coir::offload([&] {
                  CHECK(std::this_thread::get_id() != here);
                  CHECK_FALSE(coir::this_fiber::in_fiber());
                  return 42;
              }) == 42);
        CHECK(std::this_thread::get_id() == here);
    });
}

TEST_CASE("offload: supports results of all kinds") {
    in_scheduler([] {
        bool ran = false;
        coir::offload([&] { ran = true; });
        CHECK(ran);
        CHECK(*coir::offload([] { return std::make_unique<int>(7); }) == 7);
        int number = 1;
        CHECK(&coir::offload([&]() -> int& { return number; }) == &number);
    });
}

TEST_CASE("offload: the function and its arguments are not copied") {
    in_scheduler([] {
        int number = 1;
        coir::offload([](int& given, std::unique_ptr<int> own) { given = *own; }, number, std::make_unique<int>(5));
        CHECK(number == 5);
        struct counts {
            int calls = 0;
            void operator()() { ++calls; }
            counts() = default;
            counts(const counts&) = delete;
        } counter;
        coir::offload(counter);
        CHECK(counter.calls == 1);
    });
}

TEST_CASE("offload: an exception of the function is thrown") {
    in_scheduler([] {
        CHECK_THROWS_WITH_AS(coir::offload([] { throw std::domain_error{"mine"}; }), "mine", std::domain_error);
        CHECK_THROWS_AS(coir::offload([] { throw 1; }), int);
    });
}

TEST_CASE("offload: other fibers run meanwhile") {
    in_scheduler([] {
        std::atomic<bool> others_ran = false;
        auto other = coir::spawn([&] {
            others_ran = true;
            others_ran.notify_all();
        });
        coir::offload([&] { others_ran.wait(false); });  // would hang if the scheduler slept too
        other.get();
    });
}

TEST_CASE("offload: at least four calls run concurrently, and others wait") {
    in_scheduler([] {
        std::atomic<int> inside = 0;
        const auto meet = [&] {
            coir::offload([&] {
                ++inside;
                while (inside < 4) std::this_thread::sleep_for(100us);
            });
        };
        coir::gather(meet, meet, meet, meet);

        std::atomic<int> ran = 0;
        std::vector<std::function<void()>> many(100, [&] { coir::offload([&] { ++ran; }); });
        coir::gather(many);
        CHECK(ran == 100);
    });
}

TEST_CASE("offload: the number of threads is limited, and they have names and block signals") {
    in_scheduler([] {
        std::set<std::thread::id> threads;
        std::vector<std::function<std::thread::id()>> many(200, [] {
            return coir::offload([] {
                char name[16] = {};
                ::pthread_getname_np(::pthread_self(), name, sizeof name);
                CHECK(std::string{name} == "coir-offload");
                sigset_t blocked;
                ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
                for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1}) {
                    CHECK(::sigismember(&blocked, signal) == 1);
                }
                CHECK(::sigismember(&blocked, SIGSEGV) == 0);
                return std::this_thread::get_id();
            });
        });
        for (const auto id : coir::gather(many)) threads.insert(id);
        CHECK(threads.size() <= std::max<std::size_t>(4, std::thread::hardware_concurrency()));
    });
}

TEST_CASE("offload: does not change the caller's signal mask") {
    in_scheduler([] {
        sigset_t before;
        sigset_t after;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
        coir::offload([] {});
        ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
        for (int signal = 1; signal < SIGRTMAX; ++signal) {
            CHECK(::sigismember(&before, signal) == ::sigismember(&after, signal));
        }
    });
}

TEST_CASE("offload: a stop withdraws work that has not started") {
    in_scheduler([] {
        occupation busy;
        bool ran = false;
        auto waiting = coir::spawn([&] { coir::offload([&] { ran = true; }); });
        coir::this_fiber::yield();
        coir::this_fiber::yield();
        waiting.request_stop();
        CHECK_THROWS_AS(waiting.get(), coir::fiber_stopped);
        busy.end();
        CHECK_FALSE(ran);
    });
}

TEST_CASE("offload: an expired scope withdraws work that has not started") {
    in_scheduler([] {
        occupation busy;
        bool ran = false;
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { coir::offload([&] { ran = true; }); }), coir::timed_out);
        busy.end();
        CHECK_FALSE(ran);
    });
}

TEST_CASE("offload: work that has started is waited for, a stop reaches its token and is delivered afterwards") {
    in_scheduler([] {
        std::atomic<bool> begun = false;
        int result = 0;
        bool delivered = false;
        auto working = coir::spawn([&] {
            result = coir::offload(
                [&](const std::stop_token& stop, int factor) {
                    begun = true;
                    while (!stop.stop_requested()) std::this_thread::sleep_for(100us);
                    return 6 * factor;
                },
                7);
            try {
                coir::this_fiber::yield();
            } catch (const coir::cancelled&) {
                delivered = true;
                throw;
            }
        });
        while (!begun) sleep_for(100us);
        working.request_stop();
        CHECK_THROWS_AS(working.get(), coir::fiber_stopped);
        CHECK(result == 42);
        CHECK(delivered);
    });
}

TEST_CASE("offload: work without a token is waited for as well") {
    in_scheduler([] {
        std::atomic<bool> begun = false;
        std::atomic<bool> may_end = false;
        int result = 0;
        auto working = coir::spawn([&] {
            result = coir::offload([&] {
                begun = true;
                may_end.wait(false);
                return 42;
            });
        });
        while (!begun) sleep_for(100us);
        working.request_stop();
        for (int i = 0; i < 5; ++i) sleep_for(100us);
        CHECK_FALSE(working.done());
        may_end = true;
        may_end.notify_all();
        working.get();  // it returned: the stop was not delivered, as no suspension followed
        CHECK(result == 42);
    });
}

TEST_CASE("offload: an expired scope waits for started work, and an existing result is returned") {
    in_scheduler([] {
        std::optional<int> result;
        for (auto limit = 5ms; !result; limit *= 2) {  // withdrawn, if the machine was too busy to start it
            result = coir::try_with_timeout(limit, [] {
                return coir::offload([](const std::stop_token& stop) {
                    while (!stop.stop_requested()) std::this_thread::sleep_for(100us);
                    return 42;
                });
            });
        }
        CHECK(result == 42);
    });
}

TEST_CASE("offload: an exception thrown after a stop is thrown to the caller") {
    in_scheduler([] {
        std::atomic<bool> begun = false;
        auto working = coir::spawn([&] {
            coir::offload([&](const std::stop_token& stop) {
                begun = true;
                while (!stop.stop_requested()) std::this_thread::sleep_for(100us);
                throw std::domain_error{"mine"};
            });
        });
        while (!begun) sleep_for(100us);
        working.request_stop();
        CHECK_THROWS_AS(working.get(), std::domain_error);
    });
}

TEST_CASE("offload: a fiber that is being stopped offloads nothing") {
    in_scheduler([] {
        bool ran = false;
        auto stopped = coir::spawn([&] { coir::offload([&] { ran = true; }); });
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK_FALSE(ran);
    });
}

TEST_CASE("offload: run waits for started work") {
    std::atomic<bool> ended = false;
    in_scheduler([&] {
        std::atomic<bool> begun = false;
        auto working = coir::spawn([&] {
            coir::offload([&] {
                begun = true;
                std::this_thread::sleep_for(5ms);
                ended = true;
            });
        });
        while (!begun) sleep_for(100us);
        working.detach();
        sleep_for(100us);
    });
    CHECK(ended);
}

TEST_CASE("offload: waiting for work is not a deadlock") {
    in_scheduler([] { coir::offload([] { std::this_thread::sleep_for(20ms); }); });
}

TEST_CASE("offload: one pool serves consecutive and concurrent runs") {
    for (int i = 0; i < 50; ++i) {
        CHECK(in_scheduler([i] { return coir::offload([i] { return i; }); }) == i);
    }
    std::vector<std::thread> threads;
    std::atomic<int> sum = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) in_scheduler([&] { sum += coir::offload([] { return 1; }); });
        });
    }
    for (auto& each : threads) each.join();
    CHECK(sum == 200);
}

TEST_CASE("offload: outside of a fiber, also within offloaded work, it throws not_in_fiber") {
    CHECK_THROWS_AS(coir::offload([] {}), coir::not_in_fiber);
    in_scheduler([] { coir::offload([] { CHECK_THROWS_AS(coir::offload([] {}), coir::not_in_fiber); }); });
}

TEST_CASE("offload: what belongs to the fibers throws wrong_scheduler there, and says what to use instead") {
    in_scheduler([] {
        coir::channel<int> numbers{1};
        coir::mutex mutex;
        coir::event event;
        coir::counting_semaphore<> permits{1};
        auto [near, far] = coir::net::unix_stream::pair();
        auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(std::chrono::hours{1}); });
        CHECK(numbers.try_send(1));
        const std::unique_lock lock{mutex};
        permits.acquire();
        CHECK_THROWS_AS(event.wait(std::chrono::milliseconds{0}), coir::timed_out);
        near.write_all("x");
        const auto is_refused = [](const std::function<void()>& call) {
            return coir::offload([&] {
                try {
                    call();
                } catch (const coir::wrong_scheduler& refusal) {
                    const std::string_view what = refusal.what();
                    return what.find("concurrent_channel") != what.npos || what.find("on the thread") != what.npos;
                } catch (...) {
                }
                return false;
            });
        };
        CHECK(is_refused([&] { numbers.send(2); }));
        CHECK(is_refused([&] { static_cast<void>(numbers.recv()); }));
        CHECK(is_refused([&] { mutex.lock(); }));
        CHECK(is_refused([&] { event.wait(); }));
        CHECK(is_refused([&] { permits.acquire(); }));
        CHECK(is_refused([&near = near] { near.write_all("y"); }));
        CHECK(is_refused([&] { sleeper.join(); }));
        sleeper.request_stop();
    });
}

TEST_CASE("offload: work may run its own scheduler") {
    in_scheduler([] {
        CHECK(coir::offload([] {
                  return coir::run([] {
                      coir::this_fiber::yield();
                      return 42;
                  });
              }) == 42);
    });
}

TEST_CASE("offload: nested schedulers that offload, deeper than the number of threads, complete") {
    const std::function<int(int)> descend = [&](int levels) {
        return levels == 0 ? 0 : 1 + in_scheduler([&] { return coir::offload(descend, levels - 1); });
    };
    const int levels = static_cast<int>(std::max(4U, coir::available_cores())) + 3;
    CHECK(descend(levels) == levels);
}

#if !defined(COIR_TSAN)  // ThreadSanitizer does not support threads in the child of a multi-threaded process
TEST_CASE("offload: a forked child has its own pool") {
    in_scheduler([] { coir::offload([] {}); });
    const pid_t child = ::fork();
    if (child == 0) ::_exit(in_scheduler([] { return coir::offload([] { return 42; }); }));
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
}
#endif

TEST_CASE("offload: the process exits cleanly, also if offloaded work calls exit") {
    const auto after = coir::test::in_child([] {
        in_scheduler([] { coir::offload([] {}); });
        std::exit(7);
    });
    CHECK(after.exit_code == 7);
    const auto within = coir::test::in_child([] { in_scheduler([] { coir::offload([] { std::exit(8); }); }); });
    CHECK(within.exit_code == 8);
}
