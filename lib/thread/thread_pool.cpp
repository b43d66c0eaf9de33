#include "thread/thread_pool.hpp"

#include <coir/thread/cores.hpp>

#include "base/check.hpp"
#include "base/clone_refusal.hpp"
#include "base/own_module.hpp"
#include "base/signals_blocked.hpp"

#include <algorithm>
#include <pthread.h>
#include <system_error>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t threads_min = 4;      // of the process's pool: blocking work does not need a processor
constexpr std::size_t name_bytes_max = 15;  // pthread_setname_np(3)

thread_local const pool_work* current_work{};  // the work that this thread runs

}  // namespace

/// The pool is never destroyed, so that destructors of static objects can still submit work.
struct thread_pool::own_pool {
    thread_pool& pool = *new thread_pool{"coir-offload", std::max<std::size_t>(threads_min, available_cores())};

    ~own_pool() { delete &pool; }  // called only if another thread was first to make the pool
};

constinit per_process<thread_pool::own_pool> thread_pool::pools;

thread_pool& thread_pool::of_process() {
    static const struct at_exit {
        ~at_exit() { end_all_of_process(); }
    } joined;
    return pools.get().pool;
}

void thread_pool::end_all_of_process() noexcept {
    if (own_pool* const made = pools.find()) made->pool.end();
}

thread_pool::thread_pool(std::string name, std::size_t threads_max, std::size_t queue_max)
    : name_{std::move(name)}, threads_max_{threads_max}, queue_max_{queue_max} {}

void thread_pool::destroy(thread_pool* made) noexcept {
    if (!made->is_from_parent_process()) return delete made;
    static std::mutex keeping;
    const std::lock_guard lock{keeping};
    static thread_pool* kept = nullptr;  // keeps the pool reachable for leak checkers
    made->kept_before_ = std::exchange(kept, made);
}

thread_pool::~thread_pool() {
    COIR_CHECK(queue_.empty() && nested_.empty(),
               "offload_pool: destroyed while work waits for a thread; join the calling fibers first");
    COIR_CHECK(current_work == nullptr || current_work->pool_ != this,
               "offload_pool: destroyed by work that runs in the pool; destroy it outside its own threads");
    end();
}

bool thread_pool::is_from_parent_process() const noexcept { return made_in_.is_from_parent_process(); }

void thread_pool::submit(pool_work& work) {
    if (is_from_parent_process()) {
        throw std::system_error{std::make_error_code(std::errc::operation_not_permitted),
                                "offload_pool '" + name_ +
                                    "': its threads exist only in the parent process; create a pool in this process"};
    }
    {
        const std::lock_guard lock{mutex_};
        const pool_work* const sender = sender_in_this_pool();
        if (sender == nullptr) check_queue_limit();
        if (sender != nullptr && !std::exchange(sender->has_sent_, true)) ++senders_;
        // Nested work may occupy a thread within the bound; in that case this work gets an additional thread.
        const bool may_begin = sender != nullptr || running_ + queued_ < threads_max_;
        const bool is_wanted = may_begin && idle_ <= queued_ + nested_queued_;
        if (is_wanted && threads_.size() < threads_max_ + senders_) add_thread();
        work.pool_ = this;
        work.sent_by_ = current_work;
        work.nested_ = sender != nullptr;
        (work.nested_ ? nested_ : queue_).push_back(work);
        ++(work.nested_ ? nested_queued_ : queued_);
    }
    something_to_do_.notify_one();
}

/// The work that occupies a thread of this pool and waits for the work that the calling thread submits; nullptr if
/// there is none. It is found through the chain of `sent_by_`, so work that was sent from pool to pool counts too. All
/// work in the chain still runs, because it waits for the work that it has sent. (detached_work, which its sender may
/// abandon, sends no work itself.)
const pool_work* thread_pool::sender_in_this_pool() const noexcept {
    const pool_work* sender = current_work;
    while (sender != nullptr && sender->pool_ != this) sender = sender->sent_by_;
    return sender;
}

void thread_pool::check_queue_limit() const {
    const std::size_t here = running_ + queued_;
    if (here < threads_max_ || here - threads_max_ < queue_max_) return;
    throw std::system_error{std::make_error_code(std::errc::resource_unavailable_try_again),
                            "offload_pool '" + name_ + "': all threads are busy and the queue is full (queue_limit " +
                                std::to_string(queue_max_) + ")"};
}

bool thread_pool::withdraw(pool_work& work) noexcept {
    const std::lock_guard lock{mutex_};
    if (!work.is_linked()) return false;
    work.unlink();
    --(work.nested_ ? nested_queued_ : queued_);
    return true;
}

void thread_pool::end() noexcept {
    // Work that calls exit(3) ends the pool on one of its threads. Nested work cannot join the threads that wait for
    // it.
    const bool by_nested_work = current_work != nullptr && current_work->nested_;
    std::unique_lock lock{mutex_};
    ending_ = true;
    // A loop: running work may send nested work, which starts new threads.
    while (!threads_.empty() || retired_.joinable()) {
        std::vector<std::thread> ending = std::exchange(threads_, {});
        if (retired_.joinable()) ending.push_back(std::move(retired_));
        lock.unlock();
        something_to_do_.notify_all();
        for (std::thread& each : ending) {
            if (by_nested_work || each.get_id() == std::this_thread::get_id())
                each.detach();
            else
                each.join();
        }
        lock.lock();
    }
    ending_ = false;
}

void thread_pool::add_thread() {
    own_module::keep_loaded();
    const signals_blocked inherited;
    try {
        threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error& refused) {
        if (threads_.size() > senders_) return;  // one of the existing threads will do the work
        throw std::system_error{refused.code(), "offload_pool '" + name_ + "': cannot start a thread" +
                                                    clone_refusal(refused.code().value())};
    }
}

void thread_pool::serve() noexcept {
    ::pthread_setname_np(::pthread_self(), name_.substr(0, name_bytes_max).c_str());
    processors_.apply();
    std::unique_lock lock{mutex_};
    ++idle_;
    for (;;) {
        if (ending_ && nested_.empty()) break;  // running work waits for nested work, which must be done first
        if (pool_work* const next = take()) {
            do_work(*next, lock);
        } else if (threads_.size() > threads_max_) {
            std::thread before = retire_this_thread();
            --idle_;
            lock.unlock();
            if (before.joinable()) before.join();
            return;
        } else {
            something_to_do_.wait(lock);
        }
    }
    --idle_;
}

pool_work* thread_pool::take() noexcept {
    if (!nested_.empty()) {
        --nested_queued_;
        return nested_.pop_front();
    }
    if (queue_.empty() || running_ == threads_max_) return nullptr;
    --queued_;
    ++running_;
    return queue_.pop_front();
}

void thread_pool::do_work(pool_work& work, std::unique_lock<std::mutex>& lock) noexcept {
    --idle_;
    lock.unlock();
    current_work = &work;
    work.run(work);
    current_work = nullptr;
    lock.lock();
    if (!work.nested_) --running_;
    if (work.has_sent_) --senders_;
    ++idle_;  // before `finish`: if that causes new work to be submitted, this thread can do it
    lock.unlock();
    work.finish(work);
    lock.lock();
}

/// Each retiring thread joins the one that retired before it, and `end` joins the last one.
std::thread thread_pool::retire_this_thread() noexcept {
    const auto self = std::ranges::find(threads_, std::this_thread::get_id(), &std::thread::get_id);
    std::thread before = std::exchange(retired_, std::move(*self));
    threads_.erase(self);
    return before;
}

}  // namespace coir::detail
