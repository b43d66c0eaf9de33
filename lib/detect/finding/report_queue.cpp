#include "detect/finding/report_queue.hpp"

#include <coir/detail/base/scope_exit.hpp>
#include <coir/detail/core/spawn.hpp>

#include "base/log.hpp"
#include "base/per_process.hpp"
#include "core/scheduler.hpp"
#include "detect/finding/report_listener.hpp"

#include <exception>
#include <new>
#include <utility>

namespace coir::detail {

namespace {

thread_local constinit bool delivers = false;

/// One call at a time: the cores of `run_on_cores` have the same function.
constinit per_process<std::mutex> calls;

/// An exception of one function must not keep the other one from being called.
template <class F> void call_guarded(const char* name, F function) {
    try {
        function();
    } catch (const std::exception& thrown) {
        log::write_joined(log_level::error, {name, " threw an exception: ", thrown.what()});
    } catch (...) {
        log::write_joined(log_level::error, {name, " threw an exception that is not a std::exception"});
    }
}

}  // namespace

report_queue::~report_queue() {
    try {
        deliver();
    } catch (const std::bad_alloc&) {  // nothing can be told without memory
    }
}

void report_queue::start_fibers_in(scheduler& run) noexcept {
    if (!run.seed()) inbox_ = &run.inbox();
}

bool report_queue::has_readers() const noexcept { return on_report_ || has_blocking_listener(); }

void report_queue::push(blocking_report what) {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(what));
    if (inbox_ != nullptr && !delivering_ && !std::exchange(posted_, true)) inbox_->put(*this);
}

void report_queue::start_fiber(message& self) noexcept {
    static constexpr closure_ops deliver_in_a_fiber{
        [](void* closure) {
            const detection_paused telling{scheduler::current()->running()};
            (*static_cast<report_queue**>(closure))->deliver();
        },
        [](void*) noexcept {},
    };
    try {
        scheduler::current()->start_detached(deliver_in_a_fiber, &static_cast<report_queue&>(self), "on_report");
    } catch (const std::bad_alloc&) {  // they stay for the destructor
    }
}

void report_queue::deliver() {
    std::unique_lock lock{mutex_};
    if (std::exchange(delivering_, true)) return;
    while (!waiting_.empty()) {
        const blocking_report what = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        call(what);
        lock.lock();
    }
    posted_ = delivering_ = false;
}

bool report_queue::is_delivering() noexcept { return delivers; }

void report_queue::call(const blocking_report& what) const {
    const std::lock_guard one_at_a_time{calls.get()};
    delivers = true;
    const scope_exit at_end{[] { delivers = false; }};
    if (on_report_) call_guarded("blocking_options::on_report", [&] { on_report_(what); });
    call_guarded("set_blocking_listener: the listener", [&] { tell_blocking_listener(what); });
}

}  // namespace coir::detail
