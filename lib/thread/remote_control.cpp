#include <coir/detail/thread/remote_control.hpp>
#include <coir/error.hpp>

#include "base/log.hpp"
#include "core/misuse.hpp"
#include "sync/parker.hpp"

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace coir::detail {

namespace {

/// Logs a failure that can no longer be retrieved.
void report_failure(result_core& ended) noexcept {
    std::exception_ptr failed = ended.take_failure();
    if (failed == nullptr) return;
    constexpr const char* what = "a fiber of another scheduler failed and its result was never retrieved: ";
    try {
        std::rethrow_exception(std::move(failed));
    } catch (const fiber_stopped&) {
    } catch (const std::exception& failure) {
        log::write_joined(log_level::error, {what, failure.what()});
    } catch (...) {
        log::write_joined(log_level::error, {what, "an exception that is not a std::exception"});
    }
}

}  // namespace

remote_control::presence::presence(remote_control& held) : held_{held} {
    scheduler& here = *scheduler::current();
    bool stopped = false;
    {
        const internal_lock_guard holding{held_.mutex_};
        held_.fiber_ = &here.running();
        stopped = held_.stop_requested_;
    }
    if (stopped) here.request_stop(here.running());
}

remote_control::presence::~presence() {
    const internal_lock_guard holding{held_.mutex_};
    held_.fiber_ = nullptr;
}

void remote_control::request_stop() {
    scheduler* const here = scheduler::current();
    {
        const internal_lock_guard holding{mutex_};
        if (std::exchange(stop_requested_, true) || fiber_ == nullptr) return;
        if (here == nullptr || !here->owns(*fiber_)) {
            on_its_way_ = shared_from_this();
            // If the gate is closed, the scheduler itself requests all of its fibers to stop.
            if (!gate_of(home_)->post(*this)) on_its_way_.reset();
            return;
        }
    }
    here->request_stop(*fiber_);
}

void remote_control::check_joiner(const char* operation) const {
    if (is_this_fiber())
        throw_misuse(std::errc::resource_deadlock_would_occur, operation, "a fiber cannot wait for its own end");
}

bool remote_control::is_this_fiber() const noexcept {
    const scheduler* const here = scheduler::current();
    const internal_lock_guard holding{mutex_};
    return here != nullptr && fiber_ == &here->running();
}

void remote_control::end(result_core& result) noexcept {
    if (gate_of(home_)->is_from_parent_process()) return;
    COIR_CHECK(!is_this_fiber(), "~remote_fiber: a fiber destroys its own handle, but cannot wait for its own end");
    request_stop();
    result.wait_shielded("~remote_fiber");
    report_failure(result);
}

void remote_control::detach(result_core& result) noexcept {
    {
        const internal_lock_guard holding{mutex_};
        detached_ = true;
        if (!result.is_ready()) return;  // the fiber checks `detached_` when it publishes its result
    }
    report_failure(result);
}

bool remote_control::publish(result_core& result, std::exception_ptr& failure) noexcept {
    const internal_lock_guard holding{mutex_};
    if (detached_) return false;
    static_cast<void>(result.begin_setting());
    result.publish(std::move(failure));
    return true;
}

/// Called by the hub, which must not run user code. If the fiber may have stop callbacks, another fiber requests the
/// stop.
void remote_control::arrived(message& arrived) noexcept {
    auto& self = static_cast<remote_control&>(arrived);
    const std::shared_ptr<remote_control> kept = std::move(self.on_its_way_);
    if (self.fiber_ == nullptr) return;
    if (self.fiber_->stop == nullptr)
        scheduler::current()->request_stop(*self.fiber_);
    else
        self.stop_in_a_fiber();
}

void remote_control::stop_in_a_fiber() noexcept {
    using holder = std::shared_ptr<remote_control>;
    static constexpr closure_ops ops{
        [](void* closure) {
            const remote_control& self = ***static_cast<holder**>(closure);
            if (self.fiber_ != nullptr) scheduler::current()->request_stop(*self.fiber_);
        },
        [](void* closure) noexcept { delete *static_cast<holder**>(closure); },
    };
    try {
        auto kept = std::make_unique<holder>(shared_from_this());
        scheduler::current()->start_detached(ops, kept.get(), "request_stop");
        static_cast<void>(kept.release());
    } catch (const std::bad_alloc&) {
        // Better than no stop: the callbacks may not suspend in any case.
        scheduler::current()->request_stop(*fiber_);
    }
}

}  // namespace coir::detail
