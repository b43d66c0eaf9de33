#include "thread/thread_pool.hpp"

#include <coir/thread/cores.hpp>

#include "base/check.hpp"
#include "base/clone_refusal.hpp"
#include "base/own_module.hpp"
#include "base/signals_blocked.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <pthread.h>
#include <system_error>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t threads_min = 4;       // blocking work does not need a processor
constexpr std::size_t waiting_threads = 64;  // they wait for a disk or the network, not for a processor
constexpr std::size_t abandoned_max = 256;   // threads beyond the bound
constexpr std::size_t name_bytes_max = 15;   // pthread_setname_np(3)

thread_local const pool_work* current_work{};  // the work that this thread runs

}  // namespace

/// A thread of the pool. All members are guarded by the mutex of the pool.
struct pool_thread : list_hook {
    std::thread thread;
    bool is_abandoned = false;  // the result of its work is no longer awaited
    bool has_place = false;     // it runs work that counts in `running_`
    bool has_left = false;

    [[nodiscard]] bool is_detached() const noexcept { return !thread.joinable(); }  // `end` did not wait for it
};

/// Never destroyed, so that destructors of static objects can still submit work. (The destructors run only if another
/// thread was first to make the pools.)
struct thread_pool::own_pools {
    own_pools() = default;  // not an aggregate: only this struct may destroy pools

    thread_pool work{"coir-offload", std::max<std::size_t>(threads_min, available_cores())};
    thread_pool files{"coir-files", waiting_threads};
    thread_pool names{"coir-names", waiting_threads};
    thread_pool local_names{"coir-hosts", threads_min};

    thread_pool& operator[](lane of) noexcept {
        switch (of) {
        case lane::work: break;
        case lane::files: return files;
        case lane::names: return names;
        case lane::local_names: return local_names;
        }
        return work;
    }

    void end() noexcept {
        for (thread_pool* each : {&work, &files, &names, &local_names}) each->end();
    }
};

constinit per_process<thread_pool::own_pools> thread_pool::pools;

thread_pool& thread_pool::of_process(lane of) {
    static const struct at_exit {
        ~at_exit() { end_all_of_process(); }
    } joined;
    return pools.get()[of];
}

void thread_pool::end_all_of_process() noexcept {
    if (own_pools* const made = pools.find()) made->end();
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
        if (may_begin && idle_ <= queued_ + nested_queued_ && has_room_for_thread()) add_thread();
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
    return take_back(work);
}

bool thread_pool::abandon(pool_work& work) noexcept {
    const std::lock_guard lock{mutex_};
    if (take_back(work)) return true;
    if (work.done_by_ != nullptr) give_place_up(*work.done_by_);
    return false;
}

bool thread_pool::take_back(pool_work& work) noexcept {
    if (!work.is_linked()) return false;
    work.unlink();
    --(work.nested_ ? nested_queued_ : queued_);
    return true;
}

void thread_pool::give_place_up(pool_thread& by) noexcept {
    by.is_abandoned = true;
    changed_.notify_all();
    if (abandoned_ == abandoned_max || !std::exchange(by.has_place, false)) return;
    ++abandoned_;
    --running_;
    if (queued_ == 0) return;
    something_to_do_.notify_one();
    try {
        if (idle_ < queued_ && has_room_for_thread()) add_thread();
    } catch (...) {
        // The work stays in the queue until a thread is free.
    }
}

void thread_pool::end() noexcept {
    // Work that calls exit(3) ends the pool on one of its threads. Nested work cannot join the threads that wait for
    // it.
    const bool by_nested_work = current_work != nullptr && current_work->nested_;
    std::unique_lock lock{mutex_};
    ending_ = true;
    // A loop: running work may send nested work, which starts new threads.
    while (thread_count_ > 0 || retired_.joinable()) {
        something_to_do_.notify_all();
        if (retired_.joinable()) {
            std::thread retired = std::move(retired_);
            lock.unlock();
            by_nested_work ? retired.detach() : retired.join();
            lock.lock();
        }
        if (pool_thread* const first = threads_.pop_front()) {
            --thread_count_;
            end_thread(*first, !by_nested_work, lock);
        }
    }
    ending_ = false;
}

void thread_pool::end_thread(pool_thread& ending, bool may_join, std::unique_lock<std::mutex>& lock) noexcept {
    may_join = may_join && ending.thread.get_id() != std::this_thread::get_id();
    if (may_join) changed_.wait(lock, [&] { return ending.has_left || ending.is_abandoned; });
    if (may_join && ending.has_left) {
        lock.unlock();
        ending.thread.join();
        delete &ending;
        lock.lock();
    } else {
        ending.thread.detach();
        detached_.push_back(ending);
    }
}

/// Called with the mutex locked. `serve` locks it as well, and so begins after the record is complete.
void thread_pool::add_thread() {
    own_module::keep_loaded();
    const signals_blocked inherited;
    const bool is_needed = thread_count_ <= senders_ + abandoned_;  // otherwise an existing thread will do the work
    try {
        auto made = std::make_unique<pool_thread>();
        made->thread = std::thread{[this, self = made.get()] { serve(*self); }};
        threads_.push_back(*made.release());
        ++thread_count_;
    } catch (const std::bad_alloc&) {
        if (is_needed) throw;
    } catch (const std::system_error& refused) {
        if (!is_needed) return;
        throw std::system_error{refused.code(), "offload_pool '" + name_ + "': cannot start a thread" +
                                                    clone_refusal(refused.code().value())};
    }
}

bool thread_pool::has_room_for_thread() const noexcept { return thread_count_ < threads_max_ + senders_ + abandoned_; }

void thread_pool::serve(pool_thread& self) noexcept {
    ::pthread_setname_np(::pthread_self(), name_.substr(0, name_bytes_max).c_str());
    processors_.apply();
    std::unique_lock lock{mutex_};
    ++idle_;
    while (!self.is_detached() && (!ending_ || !nested_.empty())) {  // running work waits for nested work
        if (pool_work* const next = take()) {
            do_work(*next, self, lock);
        } else if (thread_count_ > threads_max_ + abandoned_) {
            std::thread before = retire(self);
            --idle_;
            lock.unlock();
            if (before.joinable()) before.join();
            return;
        } else {
            something_to_do_.wait(lock);
        }
    }
    --idle_;
    leave(self);
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

void thread_pool::do_work(pool_work& work, pool_thread& self, std::unique_lock<std::mutex>& lock) noexcept {
    --idle_;
    work.done_by_ = &self;
    self.has_place = !work.nested_;
    lock.unlock();
    current_work = &work;
    work.run(work);
    current_work = nullptr;
    lock.lock();
    work.done_by_ = nullptr;
    if (std::exchange(self.has_place, false))
        --running_;
    else if (!work.nested_)
        --abandoned_;
    self.is_abandoned = false;
    if (work.has_sent_) --senders_;
    ++idle_;  // before `finish`: if that causes new work to be submitted, this thread can do it
    lock.unlock();
    work.finish(work);
    lock.lock();
}

/// Each retiring thread joins the one that retired before it, and `end` joins the last one.
std::thread thread_pool::retire(pool_thread& self) noexcept {
    std::thread before = std::exchange(retired_, std::move(self.thread));
    self.unlink();
    --thread_count_;
    delete &self;
    return before;
}

/// `end` joins the thread, unless it has detached it.
void thread_pool::leave(pool_thread& self) noexcept {
    self.has_left = true;
    changed_.notify_all();
    if (!self.is_detached()) return;
    self.unlink();
    delete &self;
}

}  // namespace coir::detail
