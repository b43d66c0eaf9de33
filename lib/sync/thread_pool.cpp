#include "sync/thread_pool.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t threads_min = 4;  // what blocks does not need a processor

/// New threads inherit the mask (pthread_create(3)): signals are for the program's own threads. Those that a fault
/// raises are left, since a crash handler could not be called otherwise.
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&all, fault);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_;
};

}  // namespace

thread_pool& thread_pool::of_process() {
    static const struct at_exit {
        ~at_exit() { place()->end(); }
    } joined;
    return *place();
}

/// Never destroyed: what static objects' destructors still send finds a pool.
thread_pool*& thread_pool::place() noexcept {
    static thread_pool* pool = [] {
        ::pthread_atfork([] { place()->mutex_.lock(); }, [] { place()->mutex_.unlock(); },
                         [] {
                             thread_pool* const parents = std::exchange(place(), new thread_pool);
                             parents->mutex_.unlock();
                             place()->before_fork_ = parents;
                         });
        return new thread_pool;
    }();
    return pool;
}

thread_pool::thread_pool() {
    // The process's own, which is the first thread's: the caller may be pinned to one processor.
    CPU_ZERO(&processors_);
    if (::sched_getaffinity(::getpid(), sizeof processors_, &processors_) != 0) CPU_ZERO(&processors_);
    threads_max_ = std::max<std::size_t>(threads_min, static_cast<std::size_t>(CPU_COUNT(&processors_)));
}

void thread_pool::submit(pool_work& work) {
    {
        const std::lock_guard lock{mutex_};
        if (idle_ <= queued_ && threads_.size() < threads_max_) add_thread();
        queue_.push_back(work);
        ++queued_;
    }
    something_to_do_.notify_one();
}

bool thread_pool::withdraw(pool_work& work) noexcept {
    const std::lock_guard lock{mutex_};
    if (!work.is_linked()) return false;
    work.unlink();
    --queued_;
    return true;
}

void thread_pool::end() noexcept {
    std::vector<std::thread> ending;
    {
        const std::lock_guard lock{mutex_};
        ending_ = true;
        ending.swap(threads_);
    }
    something_to_do_.notify_all();
    for (std::thread& each : ending) {
        // Work that calls exit(3) ends the pool from within.
        if (each.get_id() == std::this_thread::get_id())
            each.detach();
        else
            each.join();
    }
    const std::lock_guard lock{mutex_};
    ending_ = false;
}

void thread_pool::add_thread() {
    const signals_blocked inherited;
    try {
        threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
        if (threads_.empty()) throw;  // else those that are there will come to it
    }
}

void thread_pool::serve() noexcept {
    ::pthread_setname_np(::pthread_self(), "coir-offload");
    if (CPU_COUNT(&processors_) > 0) ::sched_setaffinity(0, sizeof processors_, &processors_);
    std::unique_lock lock{mutex_};
    for (;;) {
        ++idle_;
        something_to_do_.wait(lock, [this] { return ending_ || queued_ > 0; });
        --idle_;
        if (ending_) return;
        pool_work* const next = queue_.pop_front();
        --queued_;
        lock.unlock();
        next->run(*next);
        lock.lock();
    }
}

}  // namespace coir::detail
