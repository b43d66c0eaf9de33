#include "corpus/tables.hpp"
#include "support/limits.hpp"

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>
#include <utility>

namespace coir::test {

namespace {

using namespace std::chrono_literals;

constexpr auto of_lock = blocking_class::lock;
constexpr auto of_initialiser = waits_for_initialisers ? verdict::anything : verdict::blocked;

/// A mutex that another thread holds until the fiber has waited for it.
template <class Mutex> Mutex& taken(stage& on) {
    auto& mutex = on.keep<Mutex>();
    on.elsewhere([&] { mutex.lock(); }, [&] { mutex.unlock(); });
    return mutex;
}

template <class Mutex> auto locking() {
    return [](stage& on) { return [&mutex = taken<Mutex>(on)] { const std::lock_guard lock{mutex}; }; };
}

template <class Mutex> auto locking_shared() {
    return [](stage& on) { return [&mutex = taken<Mutex>(on)] { const std::shared_lock lock{mutex}; }; };
}

template <class Mutex> auto trying_for_a_while() {
    return [](stage& on) { return [&mutex = taken<Mutex>(on)] { const std::unique_lock lock{mutex, 40ms}; }; };
}

struct bell {
    void ring() {
        const std::lock_guard lock{mutex};
        rung = true;
        condition.notify_all();
    }
    std::mutex mutex;
    std::condition_variable condition;
    bool rung = false;
};

/// A thread that ends after the fiber has waited for it.
template <class Thread> Thread& ending_thread(stage& on) {
    auto& end = on.keep<std::promise<void>>();
    on.later([&] { end.set_value(); });
    return on.keep<Thread>([ended = end.get_future().share()] { ended.wait(); });
}

int initialised_late(std::atomic<bool>& begun, std::future<void>& may_end) {
    begun = true;
    may_end.wait();
    return 1;
}

/// One instantiation per stage, as a static variable is initialised only once in a process.
template <std::size_t Which> int initialised_once(std::atomic<bool>& begun, std::future<void>& may_end) {
    static const int value = initialised_late(begun, may_end);
    return value;
}

struct other_initialiser {
    std::promise<void> may_end;
    std::future<void> ended = may_end.get_future();
    std::atomic<bool> begun = false;
    std::thread thread;

    ~other_initialiser() { thread.join(); }
    template <class Body> void run(Body body) {
        thread = std::thread{[this, body] { body(begun, ended); }};
        while (!begun) std::this_thread::yield();
    }
};

template <std::size_t Which> std::function<void()> waiting_for_initialisation(stage& on) {
    auto& other = on.keep<other_initialiser>();
    other.run(initialised_once<Which>);
    on.later([&] { other.may_end.set_value(); });
    return [&other] { initialised_once<Which>(other.begun, other.ended); };
}

/// Alone, with a rival, and under hooks: a few more than needed.
std::function<void()> waiting_for_next_initialisation(stage& on) {
    static std::size_t played = 0;
    const auto all = []<std::size_t... Which>(std::index_sequence<Which...>) {
        return std::array{&waiting_for_initialisation<Which>...};
    }
    (std::make_index_sequence<8>{});
    return all.at(played++)(on);
}

}  // namespace

table on_locks() {
    return {
        blocked("std::mutex", of_lock, {"futex"}, locking<std::mutex>()),
        blocked("std::timed_mutex", of_lock, {"futex"}, locking<std::timed_mutex>()),
        blocked("std::timed_mutex::try_lock_for", of_lock, {"futex"}, trying_for_a_while<std::timed_mutex>()),
        blocked("std::recursive_mutex", of_lock, {"futex"}, locking<std::recursive_mutex>()),
        blocked("std::recursive_timed_mutex::try_lock_for", of_lock, {"futex"},
                trying_for_a_while<std::recursive_timed_mutex>()),
        blocked("std::shared_mutex", of_lock, {"futex"}, locking<std::shared_mutex>()),
        blocked("std::shared_mutex, shared", of_lock, {"futex"}, locking_shared<std::shared_mutex>()),
        blocked("std::shared_timed_mutex::try_lock_for", of_lock, {"futex"},
                trying_for_a_while<std::shared_timed_mutex>()),
        blocked("std::scoped_lock of two", of_lock, {"futex"},
                [](stage& on) {
                    auto& free_one = on.keep<std::mutex>();
                    return [&free_one, &mutex = taken<std::mutex>(on)] {
                        const std::scoped_lock both{free_one, mutex};
                    };
                }),
        blocked_often("std::condition_variable::wait", of_lock, {"futex"},
                      [](stage& on) {
                          auto& waited_for = on.keep<bell>();
                          on.later([&] { waited_for.ring(); });
                          return [&] {
                              std::unique_lock lock{waited_for.mutex};
                              waited_for.condition.wait(lock, [&] { return waited_for.rung; });
                          };
                      }),
        blocked_often("std::condition_variable::wait_for", of_lock, {"futex"},
                      [](stage& on) {
                          auto& waited_for = on.keep<bell>();
                          return [&] {
                              std::unique_lock lock{waited_for.mutex};
                              waited_for.condition.wait_for(lock, 40ms);
                          };
                      }),
        blocked_often("std::condition_variable_any::wait", of_lock, {"futex"},
                      [](stage& on) {
                          auto& mutex = on.keep<std::shared_mutex>();
                          auto& condition = on.keep<std::condition_variable_any>();
                          on.later([&] {
                              const std::lock_guard lock{mutex};
                              condition.notify_all();
                          });
                          return [&] {
                              std::unique_lock lock{mutex};
                              condition.wait(lock);
                          };
                      }),
        blocked("std::counting_semaphore::acquire", of_lock, {"futex"},
                [](stage& on) {
                    auto& semaphore = on.keep<std::counting_semaphore<>>(0);
                    on.later([&] { semaphore.release(); });
                    return [&] { semaphore.acquire(); };
                }),
        blocked("std::binary_semaphore::try_acquire_for", of_lock, {"futex"},
                [](stage& on) {
                    auto& semaphore = on.keep<std::binary_semaphore>(0);
                    return [&] { std::ignore = semaphore.try_acquire_for(40ms); };
                }),
        blocked("std::latch::wait", of_lock, {"futex"},
                [](stage& on) {
                    auto& latch = on.keep<std::latch>(1);
                    on.later([&] { latch.count_down(); });
                    return [&] { latch.wait(); };
                }),
        blocked("std::barrier::arrive_and_wait", of_lock, {"futex"},
                [](stage& on) {
                    auto& barrier = on.keep<std::barrier<>>(2);
                    on.later([&] { barrier.arrive_and_wait(); });
                    return [&] { barrier.arrive_and_wait(); };
                }),
        blocked("std::atomic::wait", of_lock, {"futex"},
                [](stage& on) {
                    auto& value = on.keep<std::atomic<int>>(0);
                    on.later([&] {
                        value = 1;
                        value.notify_all();
                    });
                    return [&] { value.wait(0); };
                }),
        blocked("std::atomic_flag::wait", of_lock, {"futex"},
                [](stage& on) {
                    auto& flag = on.keep<std::atomic_flag>();
                    on.later([&] {
                        flag.test_and_set();
                        flag.notify_all();
                    });
                    return [&] { flag.wait(false); };
                }),
        blocked("std::future::get", of_lock, {"futex"},
                [](stage& on) {
                    auto& promise = on.keep<std::promise<int>>();
                    auto& future = on.keep<std::future<int>>(promise.get_future());
                    on.later([&] { promise.set_value(1); });
                    return [&] { future.get(); };
                }),
        blocked("std::future::wait_for", of_lock, {"futex"},
                [](stage& on) {
                    auto& promise = on.keep<std::promise<int>>();
                    auto& future = on.keep<std::future<int>>(promise.get_future());
                    return [&] { future.wait_for(40ms); };
                }),
        blocked("std::shared_future of a std::packaged_task", of_lock, {"futex"},
                [](stage& on) {
                    auto& task = on.keep<std::packaged_task<int()>>([] { return 1; });
                    auto& future = on.keep<std::shared_future<int>>(task.get_future());
                    on.later([&] { task(); });
                    return [&] { future.wait(); };
                }),
        blocked("the destructor of what std::async gave", of_lock, {"futex", "pthread_join"},
                [](stage& on) {
                    auto& promise = on.keep<std::promise<void>>();
                    auto& future = on.keep<std::unique_ptr<std::future<void>>>(std::make_unique<std::future<void>>(
                        std::async(std::launch::async, [ended = promise.get_future().share()] { ended.wait(); })));
                    on.later([&] { promise.set_value(); });
                    return [&] { future.reset(); };
                }),
        blocked("std::thread::join", of_lock, {"pthread_join", "futex"},
                [](stage& on) { return [&thread = ending_thread<std::thread>(on)] { thread.join(); }; }),
        blocked("the destructor of std::jthread", of_lock, {"pthread_join", "futex"},
                [](stage& on) {
                    return [&thread = ending_thread<std::jthread>(on)] { const std::jthread ends = std::move(thread); };
                }),
        make_entry("std::call_once", of_initialiser, of_lock, {"futex"},
                   [](stage& on) {
                       auto& once = on.keep<std::once_flag>();
                       auto& other = on.keep<other_initialiser>();
                       other.run([&once](std::atomic<bool>& begun, std::future<void>& may_end) {
                           std::call_once(once, [&] { initialised_late(begun, may_end); });
                       });
                       on.later([&] { other.may_end.set_value(); });
                       return [&once] { std::call_once(once, [] {}); };
                   }),
        of_other_code(make_entry("a static variable that another thread initialises", of_initialiser, of_lock,
                                 {"futex"}, waiting_for_next_initialisation)),
    };
}

}  // namespace coir::test
