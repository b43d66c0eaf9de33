#include <coir/detail/base/scope_exit.hpp>
#include <coir/shield.hpp>
#include <coir/thread/offload.hpp>
#include <coir/timeout.hpp>

#include "core/scheduler.hpp"
#include "thread/thread_pool.hpp"

#include <exception>

namespace coir::detail {

namespace {

/// Goes to the pool as work and comes back as a message; lies on the stack of the fiber that waits for it.
class errand : pool_work, message {
public:
    errand(scheduler& home, offloaded_work& work) noexcept
        : pool_work{do_it, done}, message{come_back}, home_{home}, work_{work} {}

    /// To the process's pool where it is not told another one.
    void send(thread_pool* pool) {
        const detection_paused queueing{home_.running()};
        pool_ = pool != nullptr ? pool : &thread_pool::of_process();
        pool_->submit(*this);
        home_.inbox().expect();
    }

    /// Takes it back if it has not begun.
    bool withdraw() noexcept {
        const detection_paused queueing{home_.running()};
        if (!pool_->withdraw(*this)) return false;
        home_.inbox().expect_no_more();
        return true;
    }

    /// Parks until it is back. Throws `cancelled`, `scope_expired`.
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
    static void do_it(pool_work& work) noexcept {  // in a thread of the pool
        auto& self = static_cast<errand&>(work);
        try {
            self.work_.run(self.work_.closure, self.work_.stop.get_token());
        } catch (...) {
            self.failure_ = std::current_exception();
        }
    }

    static void done(pool_work& work) noexcept {  // as the above
        auto& self = static_cast<errand&>(work);
        self.home_.inbox().post(self);
    }

    static void come_back(message& arrived) noexcept {  // in the hub
        auto& self = static_cast<errand&>(arrived);
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
    errand sent{scheduler::enter("offload"), work};
    sent.send(pool);
    try {
        sent.await();
    } catch (...) {
        if (sent.withdraw()) throw;
        work.stop.request_stop();
    }
    // What has begun uses this fiber's stack and what the caller lent it: it is waited for.
    const shield_scope shield;
    sent.await();
    sent.rethrow_failure();
}

}  // namespace coir::detail
