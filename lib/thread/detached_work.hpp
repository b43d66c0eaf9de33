#pragma once

#include <coir/deadline.hpp>

#include "core/scheduler.hpp"
#include "thread/thread_pool.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace coir::detail {

/// Work for a thread of the pool that owns all that it touches, and keeps itself alive: whoever asked for it may leave
/// before it is done. It goes to the pool as work and comes back as a message.
class detached_work : pool_work, message {
public:
    virtual ~detached_work() = default;
    detached_work(const detached_work&) = delete;
    detached_work& operator=(const detached_work&) = delete;

    /// Sends it off and parks until it is done: true. False when `until` came first. Throws `cancelled`,
    /// `scope_expired`, and what the pool throws when it has no thread. What is left alone and has not begun is
    /// withdrawn; what has, comes to its end without anybody.
    static bool run(const std::shared_ptr<detached_work>& work, const deadline& until);

protected:
    detached_work(scheduler& home, const char* waits_for) noexcept
        : pool_work{do_it, done}, message{come_back}, home_{home}, waits_for_{waits_for} {}

private:
    virtual void work() noexcept = 0;

    static void do_it(pool_work& work) noexcept;
    static void done(pool_work& work) noexcept;
    static void come_back(message& arrived) noexcept;
    bool await(const deadline& until);
    void abandon() noexcept;

    scheduler& home_;
    const char* waits_for_;  // in dumps
    waiter* asker_ = nullptr;
    std::mutex mutex_;
    bool abandoned_ = false;
    std::shared_ptr<detached_work> alive_;  // while the pool or the inbox holds on to it
};

/// A function as such work, with what it returns or throws.
template <class F> class detached_call : public detached_work {
public:
    using result = std::invoke_result_t<F>;

    detached_call(scheduler& home, const char* waits_for, F f) : detached_work{home, waits_for}, f_{std::move(f)} {}

    result take() {
        if (failure_ != nullptr) std::rethrow_exception(failure_);
        return std::move(*result_);
    }

private:
    void work() noexcept override {
        try {
            result_.emplace(f_());
        } catch (...) {
            failure_ = std::current_exception();
        }
    }

    F f_;
    std::optional<result> result_;
    std::exception_ptr failure_;
};

/// What `f` returns in a thread of the pool; nothing when `until` came first. All that it touches is its own. Throws
/// what it throws, and as `detached_work::run`.
template <class F>
std::optional<std::invoke_result_t<F>> call_detached(scheduler& here, const char* waits_for, const deadline& until,
                                                     F f) {
    const auto call = std::make_shared<detached_call<F>>(here, waits_for, std::move(f));
    if (!detached_work::run(call, until)) return std::nullopt;
    return call->take();
}

}  // namespace coir::detail
