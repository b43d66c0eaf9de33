#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/current_failure.hpp>

#include "core/scheduler.hpp"
#include "thread/thread_pool.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace coir::detail {

/// Work for a thread of the process's pools that the waiting fiber may abandon before it is done. It keeps itself alive
/// and must own everything that it accesses. It goes to the pool as `pool_work` and comes back as a `message`.
class detached_work : pool_work, message {
public:
    virtual ~detached_work() = default;
    detached_work(const detached_work&) = delete;
    detached_work& operator=(const detached_work&) = delete;

    /// Submits the work and parks until it is done: returns true. Returns false if `until` passes first. Throws
    /// `cancelled`, `scope_expired`, and the errors of `thread_pool::submit`. In all these cases the work is withdrawn
    /// if it has not begun; if it has begun, it runs to its end and its result is dropped.
    static bool run(const std::shared_ptr<detached_work>& work, const deadline& until);

protected:
    detached_work(lane pool, scheduler& home, const char* waits_for) noexcept
        : pool_work{do_it, done}, message{come_back}, lane_{pool}, home_{home}, waits_for_{waits_for} {}

private:
    virtual void work() noexcept = 0;

    static void do_it(pool_work& work) noexcept;
    static void done(pool_work& work) noexcept;
    static void come_back(message& arrived) noexcept;
    bool await(const deadline& until);
    void abandon() noexcept;

    const lane lane_;
    scheduler& home_;
    const char* waits_for_;      // for dumps
    waiter* waiting_ = nullptr;  // of the fiber that submitted the work
    std::mutex mutex_;
    bool done_ = false;
    bool abandoned_ = false;
    std::shared_ptr<detached_work> alive_;  // set while the pool or the inbox refers to this object
};

/// Detached work that calls a function and stores what it returns or throws.
template <class F> class detached_call : public detached_work {
public:
    using result = std::invoke_result_t<F>;

    detached_call(lane pool, scheduler& home, const char* waits_for, F f)
        : detached_work{pool, home, waits_for}, f_{std::move(f)} {}

    result take() {
        if (failure_ != nullptr) std::rethrow_exception(failure_);
        return std::move(*result_);
    }

private:
    void work() noexcept override {
        try {
            result_.emplace(f_());
        } catch (...) {
            failure_ = current_failure();
        }
    }

    F f_;
    std::optional<result> result_;
    std::exception_ptr failure_;
};

/// Calls `f` on a thread of this pool and returns its result; `std::nullopt` if `until` passes first. `f` may be
/// abandoned while it runs and must own everything that it accesses. Throws what `f` throws, and the errors of
/// `detached_work::run`.
template <class F>
std::optional<std::invoke_result_t<F>> call_detached(lane pool, scheduler& here, const char* waits_for,
                                                     const deadline& until, F f) {
    const auto call = std::make_shared<detached_call<F>>(pool, here, waits_for, std::move(f));
    if (!detached_work::run(call, until)) return std::nullopt;
    return call->take();
}

}  // namespace coir::detail
