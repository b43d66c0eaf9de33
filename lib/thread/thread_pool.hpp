#pragma once

#include <coir/detail/base/fork_generation.hpp>
#include <coir/detail/base/list.hpp>

#include "base/affinity.hpp"
#include "base/per_process.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <thread>

namespace coir::detail {

class thread_pool;
struct pool_thread;

/// The kinds of work of the process's pools. Each kind has threads of its own, so that slow work of one kind does not
/// hold up the others.
enum class lane : std::uint8_t {
    work,         // the program's own: `offload`, `parallel_for`
    files,        // calls of coir that may wait for a disk: files, programs to start, certificates
    names,        // name look-ups that may wait for the network
    local_names,  // look-ups in files of this machine
};

/// Work for a thread pool. The sender owns it, and must keep it alive until `finish` has been called or `withdraw` or
/// `abandon` has returned true.
struct pool_work : list_hook {
    using callback = void (*)(pool_work&) noexcept;

    pool_work(callback work, callback end) noexcept : run{work}, finish{end} {}

    callback run;  // called on a thread of the pool
    // Called on the same thread after `run`, when the thread counts as idle again. The pool does not access the work
    // after this call.
    callback finish;

private:
    friend class thread_pool;

    thread_pool* pool_ = nullptr;
    pool_thread* done_by_ = nullptr;      // while it runs
    const pool_work* sent_by_ = nullptr;  // the work that ran on the thread that sent this work
    bool nested_ = false;                 // `sent_by_`, or a work further up the chain, runs on a thread of this pool
    mutable bool has_sent_ = false;       // whether it has sent nested work
};

/// Threads for work that computes or blocks. Threads are started on demand, up to a bound, and kept. All functions but
/// `destroy` may be called on any thread.
///
/// Nested work is work whose sender runs on a thread of the same pool. That thread waits for it, so nested work could
/// never start if it had to queue behind such senders. Therefore nested work goes first, and each work that has sent
/// nested work permits one thread beyond the bound. Such a thread ends when it has nothing to do.
///
/// Abandoned work is work whose result is no longer awaited. It gives up its place within the bound while it goes on,
/// and does not hold up the end of the process. At most `abandoned_max` threads run such work beyond the bound; work
/// that is abandoned then keeps its place.
class thread_pool {
public:
    /// The pool of the process for this kind of work. Its threads are joined when the process exits, except those that
    /// run abandoned work. A forked child makes pools of its own.
    static thread_pool& of_process(lane of);

    /// Calls `end` for all pools of the process.
    static void end_all_of_process() noexcept;

    thread_pool(std::string name, std::size_t threads_max, std::size_t queue_max = unlimited);

    /// Ends the pool and deletes it. In a forked child, a pool of the parent is not touched: its threads do not exist
    /// here, and its mutex may never be unlocked.
    static void destroy(thread_pool* made) noexcept;
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    /// Queues work, first come, first served. Throws `std::system_error`: `resource_unavailable_try_again` if the queue
    /// is full, `operation_not_permitted` in a forked child of the process that made the pool, or the error of the
    /// system if no thread can be started and there is none. The work is then not queued.
    void submit(pool_work& work);

    /// Takes back work that has not begun and returns true. Returns false if it has begun.
    bool withdraw(pool_work& work) noexcept;

    /// Like `withdraw`, but if the work has begun, it is abandoned. It must then own all that it accesses, and the pool
    /// must never be destroyed: only pools of the process take such work.
    bool abandon(pool_work& work) noexcept;

    /// Waits for the running work and its nested work, but not for abandoned work, and ends the threads. Other work in
    /// the queue is not begun and stays there. If work of the pool itself calls this (through exit(3)), it does not
    /// wait for the calling thread. The pool can be used again.
    void end() noexcept;

    [[nodiscard]] std::size_t threads_max() const noexcept { return threads_max_; }

private:
    ~thread_pool();
    struct own_pools;
    static per_process<own_pools> pools;

    [[nodiscard]] bool is_from_parent_process() const noexcept;
    [[nodiscard]] const pool_work* sender_in_this_pool() const noexcept;
    void check_queue_limit() const;
    [[nodiscard]] bool has_room_for_thread() const noexcept;
    void add_thread();
    bool take_back(pool_work& work) noexcept;
    void give_place_up(pool_thread& by) noexcept;
    void end_thread(pool_thread& ending, bool may_join, std::unique_lock<std::mutex>& lock) noexcept;
    void serve(pool_thread& self) noexcept;
    pool_work* take() noexcept;
    void do_work(pool_work& work, pool_thread& self, std::unique_lock<std::mutex>& lock) noexcept;
    std::thread retire(pool_thread& self) noexcept;
    void leave(pool_thread& self) noexcept;

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
    std::size_t idle_ = 0;       // threads that do no work
    std::size_t running_ = 0;    // running work that is not nested; at most threads_max_
    std::size_t senders_ = 0;    // running work that has sent nested work
    std::size_t abandoned_ = 0;  // running work that is abandoned and has given its place up
    bool ending_ = false;
    list<pool_thread> threads_;
    std::size_t thread_count_ = 0;        // in threads_
    list<pool_thread> detached_;          // threads that `end` has not waited for
    std::condition_variable changed_;     // for `end`: a thread has left, or its work was abandoned
    std::thread retired_;                 // the thread that retired last; it joins the one that retired before
    thread_pool* kept_before_ = nullptr;  // the next pool of the parent that a forked child has kept
};

}  // namespace coir::detail
