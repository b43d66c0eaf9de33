#include "base/sanitizers.hpp"

// ThreadSanitizer: locks have no hooks there, and it reports what some of these tests do wrong on purpose.
#if !defined(COIR_TSAN)

#include <coir/blocking.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/future.hpp>
#include <coir/thread/promise.hpp>

#include "detect/calls/known_calls.hpp"
#include "detect/reports.hpp"
#include "support/captured_log.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <cerrno>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <future>
#include <latch>
#include <mutex>
#include <pthread.h>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using coir::test::reports;

namespace {

#if defined(COIR_ASAN) || defined(COIR_TSAN)
constexpr bool locks_have_hooks = false;
#else
constexpr bool locks_have_hooks = true;
#endif

/// Reads the state from /proc: the third field, after a name in parentheses.
bool is_asleep(pid_t thread) {
    std::ifstream file{"/proc/self/task/" + std::to_string(thread) + "/stat"};
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');
    return name_end != line.npos && line.at(name_end + 2) == 'S';
}

/// What is reported of `wait` in a fiber. Another thread calls `wake` when the fiber sleeps.
std::vector<coir::blocking_report> events_of(
    const std::function<void()>& wait, const std::function<void()>& wake = [] {}) {
    const coir::test::captured_log quiet;
    const reports seen{{.engine = coir::blocking_engine::hooks}};
    std::atomic<bool> begun = false;
    std::atomic<bool> over = false;
    std::thread other{[&, fibers = ::gettid()] {
        while (!begun) std::this_thread::yield();
        for (int asleep = 0; asleep < 3 && !over;) {
            std::this_thread::sleep_for(1ms);
            asleep = is_asleep(fibers) ? asleep + 1 : 0;
        }
        wake();
    }};
    coir::run(seen.options(), [&] {
        begun = true;
        wait();
        over = true;
    });
    other.join();
    return seen.all();
}

/// Expects one report, of a wait for a lock in `call`.
void expect_wait(const char* call, const std::function<void()>& wait, const std::function<void()>& wake) {
    INFO(call);
    const auto seen = events_of(wait, wake);
    REQUIRE(seen.size() == 1);
    CHECK(seen.front().call == coir::detail::call_named(call).name);
    CHECK(seen.front().kind == coir::blocking_kind::blocked);
    CHECK(seen.front().category == coir::blocking_class::lock);
}

/// A thread that locks at once, and unlocks when it is told.
template <class Lock> class holder {
public:
    explicit holder(Lock& lock) {
        thread_ = std::thread{[this, &lock] {
            lock.lock();
            locked_.count_down();
            done_.wait();
            lock.unlock();
        }};
        locked_.wait();
    }
    ~holder() {
        release();
        thread_.join();
    }
    void release() {
        if (!done_.try_wait()) done_.count_down();
    }

private:
    std::latch locked_{1};
    std::latch done_{1};
    std::thread thread_;
};

/// A mutex of one of the kinds of POSIX.
class posix_mutex {
public:
    explicit posix_mutex(int kind, int robust = PTHREAD_MUTEX_STALLED) {
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        ::pthread_mutexattr_settype(&attributes, kind);
        ::pthread_mutexattr_setrobust(&attributes, robust);
        ::pthread_mutex_init(&mutex_, &attributes);
        ::pthread_mutexattr_destroy(&attributes);
    }
    ~posix_mutex() { ::pthread_mutex_destroy(&mutex_); }
    posix_mutex(const posix_mutex&) = delete;
    posix_mutex& operator=(const posix_mutex&) = delete;

    int lock() { return ::pthread_mutex_lock(&mutex_); }
    int unlock() { return ::pthread_mutex_unlock(&mutex_); }
    pthread_mutex_t* native_handle() { return &mutex_; }

private:
    pthread_mutex_t mutex_{};
};

}  // namespace

TEST_CASE("lock hooks: the wait for a lock that another thread has is reported with the function's name") {
    if (!locks_have_hooks) return;
    {
        std::mutex mutex;
        holder other{mutex};
        expect_wait(
            "pthread_mutex_lock", [&] { const std::lock_guard lock{mutex}; }, [&] { other.release(); });
    }
    {
        std::timed_mutex mutex;
        holder other{mutex};
        expect_wait(
            "pthread_mutex_clocklock",
            [&] {
                const std::unique_lock lock{mutex, 1h};
            },
            [&] { other.release(); });
    }
    {
        std::timed_mutex mutex;
        holder other{mutex};
        expect_wait(
            "pthread_mutex_timedlock",
            [&] {
                const std::unique_lock lock{mutex, std::chrono::system_clock::now() + 1h};
            },
            [&] { other.release(); });
    }
    {
        std::shared_mutex mutex;
        holder other{mutex};
        expect_wait(
            "pthread_rwlock_rdlock", [&] { const std::shared_lock lock{mutex}; }, [&] { other.release(); });
    }
    {
        std::shared_mutex mutex;
        holder other{mutex};
        expect_wait(
            "pthread_rwlock_wrlock", [&] { const std::unique_lock lock{mutex}; }, [&] { other.release(); });
    }
}

TEST_CASE("lock hooks: a lock that is free, and one that is only tried, are not reported") {
    std::mutex mutex;
    std::shared_timed_mutex shared;
    std::timed_mutex taken;
    const holder other{taken};
    const auto seen = events_of([&] {
        const std::lock_guard lock{mutex};
        CHECK(shared.try_lock_for(1h));
        shared.unlock();
        CHECK_FALSE(taken.try_lock());
        CHECK_FALSE(taken.try_lock_for(0s));
        CHECK_FALSE(taken.try_lock_until(std::chrono::system_clock::now() - 1s));
    });
    CHECK(seen.empty());
}

TEST_CASE("lock hooks: waits on condition variables are reported") {
    if (!locks_have_hooks) return;
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    const auto finish = [&] {
        const std::lock_guard lock{mutex};
        done = true;
        changed.notify_all();
    };
    expect_wait(
        "pthread_cond_wait",
        [&] {
            std::unique_lock lock{mutex};
            changed.wait(lock, [&] { return done; });
        },
        finish);
    done = false;
    expect_wait(
        "pthread_cond_clockwait",
        [&] {
            std::unique_lock lock{mutex};
            CHECK(changed.wait_for(lock, 1h, [&] { return done; }));
        },
        finish);
    done = false;
    expect_wait(
        "pthread_cond_timedwait",
        [&] {
            std::unique_lock lock{mutex};
            CHECK(changed.wait_until(lock, std::chrono::system_clock::now() + 1h, [&] { return done; }));
        },
        finish);
}

TEST_CASE("lock hooks: a wait on a condition variable whose time has passed is not reported") {
    std::mutex mutex;
    std::condition_variable changed;
    const auto seen = events_of([&] {
        std::unique_lock lock{mutex};
        CHECK(changed.wait_for(lock, 0s) == std::cv_status::timeout);
        CHECK(changed.wait_until(lock, std::chrono::system_clock::now() - 1s) == std::cv_status::timeout);
    });
    CHECK(seen.empty());
}

TEST_CASE("lock hooks: the C++ library's waits in futex are reported") {
    {
        std::promise<int> answer;
        auto future = answer.get_future();
        expect_wait(
            "futex", [&] { CHECK(future.get() == 42); }, [&] { answer.set_value(42); });
    }
    {
        std::latch done{1};
        expect_wait(
            "futex", [&] { done.wait(); }, [&] { done.count_down(); });
    }
    {
        std::barrier<> both{2};
        expect_wait(
            "futex", [&] { both.arrive_and_wait(); }, [&] { std::ignore = both.arrive(); });
    }
    {
        std::binary_semaphore permits{0};
        expect_wait(
            "futex", [&] { permits.acquire(); }, [&] { permits.release(); });
    }
    {
        std::atomic<int> value = 0;
        expect_wait(
            "futex", [&] { value.wait(0); },
            [&] {
                value = 1;
                value.notify_one();
            });
    }
}

TEST_CASE("lock hooks: the wait for another thread in std::call_once is reported, the call itself is not") {
    if (!locks_have_hooks) return;
    std::once_flag once;
    CHECK(events_of([&] { std::call_once(once, [] {}); }).empty());

    std::once_flag slow;
    std::latch begun{1};
    std::latch end{1};
    std::thread first{[&] {
        std::call_once(slow, [&] {
            begun.count_down();
            end.wait();
        });
    }};
    begun.wait();
    expect_wait(
        "pthread_once", [&] { std::call_once(slow, [] { FAIL("it has been called"); }); }, [&] { end.count_down(); });
    first.join();
}

TEST_CASE("lock hooks: an exception passes through std::call_once") {
    std::once_flag once;
    coir::run([&] {
        CHECK_THROWS_AS(std::call_once(once, [] { throw 1; }), int);
        bool called = false;
        std::call_once(once, [&] { called = true; });
        CHECK(called);
    });
}

TEST_CASE("lock hooks: a recursive mutex counts, and an error-checking one refuses to deadlock") {
    posix_mutex recursive{PTHREAD_MUTEX_RECURSIVE};
    posix_mutex checking{PTHREAD_MUTEX_ERRORCHECK};
    const auto seen = events_of([&] {
        CHECK(recursive.lock() == 0);
        CHECK(recursive.lock() == 0);
        CHECK(recursive.unlock() == 0);
        {
            const coir::allow_blocking permit{"the thread ends at once"};
            std::thread{[&] { CHECK(::pthread_mutex_trylock(recursive.native_handle()) == EBUSY); }}.join();
        }
        CHECK(recursive.unlock() == 0);
        CHECK(recursive.unlock() == EPERM);

        CHECK(checking.lock() == 0);
        CHECK(checking.lock() == EDEADLK);
        CHECK(checking.unlock() == 0);
    });
    CHECK(seen.empty());
}

TEST_CASE("lock hooks: a robust mutex whose owner has died is taken with EOWNERDEAD") {
    posix_mutex robust{PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST};
    std::thread{[&] { robust.lock(); }}.join();
    coir::run([&] {
        CHECK(robust.lock() == EOWNERDEAD);
        CHECK(robust.unlock() == 0);  // without pthread_mutex_consistent
        CHECK(robust.lock() == ENOTRECOVERABLE);
    });

    posix_mutex waited_for{PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST};
    std::latch locked{1};
    std::latch end{1};
    std::thread owner{[&] {
        waited_for.lock();
        locked.count_down();
        end.wait();
    }};
    locked.wait();
    std::ignore = events_of([&] { CHECK(waited_for.lock() == EOWNERDEAD); }, [&] { end.count_down(); });
    CHECK(::pthread_mutex_consistent(waited_for.native_handle()) == 0);
    CHECK(waited_for.unlock() == 0);
    owner.join();
}

TEST_CASE("lock hooks: a timed lock ends with ETIMEDOUT, and its wait is reported") {
    std::timed_mutex taken;
    const holder other{taken};
    const auto seen = events_of([&] { CHECK_FALSE(taken.try_lock_for(20ms)); });
    CHECK(seen.size() == (locks_have_hooks ? 1 : 0));
}

TEST_CASE("lock hooks: a thread that is cancelled in a wait on a condition variable runs its cleanup handlers") {
    struct wait {
        std::latch waits{1};
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t never = PTHREAD_COND_INITIALIZER;
        bool cleaned = false;
    } shared;
    pthread_t thread{};
    REQUIRE(::pthread_create(
                &thread, nullptr,
                [](void* data) -> void* {
                    auto& here = *static_cast<wait*>(data);
                    ::pthread_mutex_lock(&here.mutex);
                    pthread_cleanup_push(
                        [](void* of) {
                            auto& cancelled = *static_cast<wait*>(of);
                            cancelled.cleaned = true;
                            ::pthread_mutex_unlock(&cancelled.mutex);  // which the cancelled wait has locked again
                        },
                        data);
                    here.waits.count_down();
                    for (;;) ::pthread_cond_wait(&here.never, &here.mutex);
                    pthread_cleanup_pop(0);
                },
                &shared) == 0);
    shared.waits.wait();
    ::pthread_mutex_lock(&shared.mutex);  // free once the thread is in its wait
    ::pthread_mutex_unlock(&shared.mutex);
    CHECK(::pthread_cancel(thread) == 0);
    void* result = nullptr;
    CHECK(::pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(shared.cleaned);
    CHECK(::pthread_mutex_trylock(&shared.mutex) == 0);
    ::pthread_mutex_unlock(&shared.mutex);
}

TEST_CASE("lock hooks: the locks of coir itself are not reported") {
    coir::promise<int> answer;
    coir::future<int> future = answer.get_future();
    std::atomic<bool> waits = false;
    std::thread reader{[&] {
        waits = true;
        CHECK(future.get() == 42);
    }};
    const auto seen = events_of([&] {
        while (!waits) coir::this_fiber::yield();
        answer.set_value(42);
    });
    reader.join();
    CHECK(seen.empty());
}

TEST_CASE("lock hooks: a build with a sanitizer says that locks have no hooks") {
    const coir::test::captured_log log;
    coir::run(reports{{.engine = coir::blocking_engine::hooks}}.options(), [] {
        const bool said = coir::active_engine().missing.find("locks have no hooks") != std::string::npos;
        CHECK(said != locks_have_hooks);
    });
}

#endif
