#pragma once

#include <sched.h>

#include <coir/detail/list.hpp>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace coir::detail {

/// Work that a thread pool does. Lies where its sender put it until `run` has returned or `withdraw` has taken it back.
struct pool_work : list_hook {
    using callback = void (*)(pool_work&) noexcept;

    explicit pool_work(callback work) noexcept : run{work} {}

    callback run;  // called by a thread of the pool; the last it does with the work
};

/// The process's threads for work that computes or blocks. They are made as work comes, up to a bound, and kept; joined
/// when the process exits. A forked child begins with a pool of its own.
class thread_pool {
public:
    static thread_pool& of_process();

    /// Queues work, first come first served. Throws `std::system_error` when there is no thread at all for it.
    void submit(pool_work& work);

    /// Takes work back that has not begun: true. False when it has.
    bool withdraw(pool_work& work) noexcept;

    /// Waits for what runs, and ends the threads; what has not begun is dropped. The pool can be used again.
    void end() noexcept;

private:
    thread_pool();
    static thread_pool*& place() noexcept;

    void add_thread();
    void serve() noexcept;

    std::mutex mutex_;
    std::condition_variable something_to_do_;
    list<pool_work> queue_;
    std::size_t queued_ = 0;
    std::size_t idle_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
    cpu_set_t processors_;
    std::size_t threads_max_;
    thread_pool* before_fork_ =
        nullptr;  // the parent's: its threads are not here, and their handles are good for nothing
};

}  // namespace coir::detail
