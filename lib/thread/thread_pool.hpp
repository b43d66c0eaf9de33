#pragma once

#include <coir/detail/base/fork_generation.hpp>
#include <coir/detail/base/list.hpp>

#include "base/affinity.hpp"

#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace coir::detail {

class thread_pool;

/// Work that a thread pool does. Lies where its sender put it until `finish` has been called or `withdraw` has taken it
/// back.
struct pool_work : list_hook {
    using callback = void (*)(pool_work&) noexcept;

    pool_work(callback work, callback end) noexcept : run{work}, finish{end} {}

    callback run;     // called by a thread of the pool
    callback finish;  // by the same one, which is free for other work by then; the last it does with this one

private:
    friend class thread_pool;

    thread_pool* pool_ = nullptr;
    const pool_work* sent_by_ = nullptr;  // the work that was running in the thread which sent this one
    bool nested_ = false;                 // that, or what has sent it in turn, runs in a thread of the same pool
    mutable bool has_sent_ = false;       // nested work
};

/// Threads for work that computes or blocks. They are made as work comes, up to a bound, and kept.
///
/// Work whose sender runs in a thread of the pool itself keeps that thread waiting, and would wait for ever behind
/// others that do the same. So it goes first, and each work that has sent some makes room for one thread beyond the
/// bound, which ends when there is nothing for it to do.
class thread_pool {
public:
    /// The process's own. Its threads are joined when the process exits; a forked child begins with a pool of its own.
    static thread_pool& of_process();

    thread_pool(std::string name, std::size_t threads_max, std::size_t queue_max = unlimited);

    /// Ends it. One that a forked child has from its parent is left as it is: its threads are not here, and what they
    /// had locked is locked for good.
    static void destroy(thread_pool* made) noexcept;
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    /// Queues work, first come first served. Throws `std::system_error` when there is no thread at all for it, when as
    /// much as may waits already, and in a forked child of the process that has made the pool.
    void submit(pool_work& work);

    /// Takes work back that has not begun: true. False when it has.
    bool withdraw(pool_work& work) noexcept;

    /// Waits for what runs, and ends the threads; what has not begun is dropped. The pool can be used again.
    void end() noexcept;

    [[nodiscard]] std::size_t threads_max() const noexcept { return threads_max_; }

private:
    ~thread_pool();
    struct own_pool;

    [[nodiscard]] bool is_from_parent_process() const noexcept;
    [[nodiscard]] const pool_work* sender_in_here() const noexcept;
    void check_place() const;
    void add_thread();
    void serve() noexcept;
    pool_work* take() noexcept;
    void do_work(pool_work& work, std::unique_lock<std::mutex>& lock) noexcept;
    std::thread retire_this_thread() noexcept;

    const std::string name_;
    const std::size_t threads_max_;
    const std::size_t queue_max_;
    const affinity processors_ = affinity::of_process();
    const fork_generation made_in_;

    std::mutex mutex_;
    std::condition_variable something_to_do_;
    list<pool_work> queue_;
    list<pool_work> nested_;
    std::size_t queued_ = 0;  // in queue_
    std::size_t nested_queued_ = 0;
    std::size_t idle_ = 0;     // threads that look for work or wait for some
    std::size_t running_ = 0;  // work that came out of queue_, threads_max_ at most
    std::size_t senders_ = 0;  // running work that has sent nested work
    bool ending_ = false;
    std::vector<std::thread> threads_;
    std::thread retired_;                 // the last that has ended by itself; it joins the one before
    thread_pool* kept_before_ = nullptr;  // another pool of the parent's that could not be destroyed
};

}  // namespace coir::detail
