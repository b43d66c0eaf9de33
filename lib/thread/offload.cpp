#include <coir/detail/base/current_failure.hpp>
#include <coir/detail/base/scope_exit.hpp>
#include <coir/shield.hpp>
#include <coir/thread/offload.hpp>

#include "core/scheduler.hpp"
#include "thread/thread_pool.hpp"

#include <exception>

namespace coir::detail {

namespace {

/// Goes to the pool as `pool_work` and comes back as a `message`. It is on the stack of the fiber that waits for it.
class offload_call : pool_work, message {
public:
    offload_call(scheduler& home, offloaded_work& work) noexcept
        : pool_work{do_it, done}, message{come_back}, home_{home}, work_{work} {}

    /// Submits the work to `pool`; to the pool of the process if `pool` is nullptr.
    void send(thread_pool* pool) {
        const detection_paused queueing{home_.running()};
        pool_ = pool != nullptr ? pool : &thread_pool::of_process(lane::work);
        pool_->submit(*this);
        home_.inbox().expect();
    }

    /// Takes the work back and returns true if it has not begun. Otherwise returns false.
    bool withdraw() noexcept {
        const detection_paused queueing{home_.running()};
        if (!pool_->withdraw(*this)) return false;
        home_.inbox().expect_no_more();
        return true;
    }

    /// Parks until the work has come back. Throws `cancelled`, `scope_expired`.
    void await() {
        if (back_) return;
        waiter me{home_.running(), "offload"};
        waiter_ = &me;
        const scope_exit at_end{[this] { waiter_ = nullptr; }};
        home_.park(me, never);
    }

    void rethrow_failure() const {
        if (failure_ != nullptr) std::rethrow_exception(failure_);
    }

private:
    static void do_it(pool_work& work) noexcept {  // on a thread of the pool
        auto& self = static_cast<offload_call&>(work);
        try {
            self.work_.run(self.work_.closure, self.work_.stop.get_token());
        } catch (...) {
            self.failure_ = current_failure();
        }
    }

    static void done(pool_work& work) noexcept {  // on the same thread
        auto& self = static_cast<offload_call&>(work);
        self.home_.inbox().post(self);
    }

    static void come_back(message& arrived) noexcept {  // called by the hub
        auto& self = static_cast<offload_call&>(arrived);
        self.back_ = true;
        self.home_.inbox().expect_no_more();
        if (self.waiter_ != nullptr) self.waiter_->wake(outcome::woken);
    }

    scheduler& home_;
    offloaded_work& work_;
    thread_pool* pool_ = nullptr;
    std::exception_ptr failure_;
    waiter* waiter_ = nullptr;
    bool back_ = false;
};

}  // namespace

void run_offloaded(thread_pool* pool, offloaded_work& work) {
    offload_call sent{scheduler::enter("offload"), work};
    sent.send(pool);
    try {
        sent.await();
    } catch (...) {
        if (sent.withdraw()) throw;
        work.stop.request_stop();
    }
    // Work that has begun uses objects of the caller and of this fiber's stack, so it must end before this returns.
    const shield_scope shield;
    sent.await();
    sent.rethrow_failure();
}

}  // namespace coir::detail
