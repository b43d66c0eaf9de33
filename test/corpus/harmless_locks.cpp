#include "corpus/tables.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <future>
#include <latch>
#include <linux/futex.h>
#include <mutex>
#include <pthread.h>
#include <semaphore.h>
#include <semaphore>
#include <shared_mutex>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace coir::test {

namespace {

/// A mutex that another thread holds as long as the stage exists.
template <class Mutex> Mutex& taken(stage& on) {
    auto& mutex = on.keep<Mutex>();
    auto& end = on.keep<std::promise<void>>();
    std::promise<void> locked;
    auto& holder = on.keep<std::thread>([&, may_end = end.get_future().share()] {
        const std::lock_guard lock{mutex};
        locked.set_value();
        may_end.wait();
    });
    on.finally([&] {
        end.set_value();
        holder.join();
    });
    locked.get_future().wait();
    return mutex;
}

template <class Mutex> auto locking_a_free_one() {
    return [] {
        Mutex mutex;
        for (int i = 0; i < 100; ++i) const std::lock_guard lock{mutex};
    };
}

int initialised() {
    static const int value = ::getpid();
    return value;
}

}  // namespace

table harmless_locks() {
    return {
        unseen("std::mutex that is free", locking_a_free_one<std::mutex>()),
        unseen("std::recursive_mutex that is free", locking_a_free_one<std::recursive_mutex>()),
        unseen("std::timed_mutex that is free", locking_a_free_one<std::timed_mutex>()),
        unseen("std::shared_mutex that is free", locking_a_free_one<std::shared_mutex>()),
        unseen("std::mutex::try_lock of one that is taken",
               [](stage& on) { return [&mutex = taken<std::mutex>(on)] { std::ignore = mutex.try_lock(); }; }),
        unseen("std::timed_mutex::try_lock_for no time",
               [](stage& on) {
                   return [&mutex = taken<std::timed_mutex>(on)] {
                       std::ignore = mutex.try_lock_for(std::chrono::seconds{0});
                   };
               }),
        unseen("pthread_rwlock that is free",
               [] {
                   pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
                   ::pthread_rwlock_wrlock(&lock);
                   ::pthread_rwlock_unlock(&lock);
               }),
        unseen("sem_wait with a permit, and sem_post",
               [] {
                   sem_t semaphore;
                   ::sem_init(&semaphore, 0, 1);
                   ::sem_wait(&semaphore);
                   ::sem_post(&semaphore);
                   ::sem_trywait(&semaphore);
                   ::sem_trywait(&semaphore);
               }),
        unseen("std::counting_semaphore with a permit",
               [] {
                   std::counting_semaphore<> semaphore{1};
                   semaphore.acquire();
                   semaphore.release();
               }),
        unseen("std::latch that is down",
               [] {
                   std::latch latch{1};
                   latch.count_down();
                   latch.wait();
               }),
        unseen("std::future that is ready",
               [] {
                   std::promise<int> promise;
                   promise.set_value(1);
                   promise.get_future().get();
               }),
        unseen("std::atomic::wait for what is so already",
               [] {
                   const std::atomic<int> value{1};
                   value.wait(0);
               }),
        unseen("notifying nobody",
               [] {
                   std::condition_variable condition;
                   condition.notify_all();
                   std::atomic<int> value{1};
                   value.notify_all();
               }),
        unseen("waking another thread",
               [](stage& on) {
                   auto& semaphore = on.keep<std::counting_semaphore<>>(0);
                   auto& waits = on.keep<std::thread>([&] { semaphore.acquire(); });
                   on.finally([&] { waits.join(); });
                   return [&] { semaphore.release(); };
               }),
        unseen("syscall(SYS_futex) that wakes",
               [] {
                   std::atomic<std::uint32_t> word{0};
                   ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
               }),
        unseen("std::call_once, twice",
               [] {
                   std::once_flag once;
                   std::call_once(once, [] {});
                   std::call_once(once, [] {});
               }),
        unseen("a static variable", [] { initialised(); }),
        unseen("beginning a thread",
               [](stage& on) {
                   auto& made = on.keep<std::thread>();
                   on.finally([&] { made.join(); });
                   return [&] { made = std::thread{[] {}}; };
               }),
        unseen("std::condition_variable::wait_for no time",
               [] {
                   std::mutex mutex;
                   std::condition_variable condition;
                   std::unique_lock lock{mutex};
                   condition.wait_for(lock, std::chrono::seconds{0});
               }),
        unseen("sem_timedwait until a moment that has passed",
               [] {
                   sem_t semaphore;
                   ::sem_init(&semaphore, 0, 0);
                   const timespec past{1, 0};
                   ::sem_timedwait(&semaphore, &past);
               }),
    };
}

}  // namespace coir::test
