#include <coir/fiber.hpp>

#include "core/misuse.hpp"
#include "core/scheduler.hpp"
#include "core/task/join_waiter.hpp"

#include <string>

namespace coir::detail {

task& make_task(std::size_t closure_bytes, std::size_t alignment) {
    return scheduler::get("spawn").make_task(closure_bytes, alignment);
}

void* closure_of(task& made) noexcept { return made.closure(); }

void discard_task(task& made) noexcept { scheduler::current()->discard_task(made); }

void start_task(task& made, const closure_ops& ops, std::string_view name, std::size_t stack_bytes, const void* site) {
    made.ops = &ops;
    scheduler& here = *scheduler::current();
    try {
        here.start(made, name, stack_bytes, site != nullptr ? site : __builtin_return_address(0));
    } catch (...) {
        here.discard_task(made);
        throw;
    }
}

// In a forked process there is no scheduler, and nothing to shield from.
shielded_end::shielded_end() noexcept {
    if (scheduler* const here = scheduler::current()) ++here->running().shields;
}
shielded_end::~shielded_end() {
    if (scheduler* const here = scheduler::current()) --here->running().shields;
}

fiber_handle::~fiber_handle() {
    if (task_ != nullptr) end();
}

bool fiber_handle::done() const noexcept { return task_ != nullptr && task_->state == task_state::ended; }

void fiber_handle::join(deadline until) {
    if (!wait("fiber::join", until)) throw timed_out{"fiber::join"};
}

std::future_status fiber_handle::wait_until(deadline until) {
    return wait("fiber::wait_until", until) ? std::future_status::ready : std::future_status::timeout;
}

void fiber_handle::request_stop() {
    task& fiber = checked("fiber::request_stop");
    if (fiber.state != task_state::ended) scheduler::current()->request_stop(fiber);
}

void fiber_handle::detach() {
    task& let_go = checked("fiber::detach");
    task_ = nullptr;
    let_go.handle_alive = false;
    if (let_go.state == task_state::ended) scheduler::release(let_go);
}

std::uint64_t fiber_handle::id() const noexcept { return task_ == nullptr ? 0 : task_->id; }

std::string_view fiber_handle::name() const noexcept {
    return task_ == nullptr || task_->name == nullptr ? std::string_view{}
                                                      : std::string_view{task_->name, task_->name_bytes};
}

void* fiber_handle::wait_for_result(deadline until) {
    if (!wait("fiber::get", until)) throw timed_out{"fiber::get"};
    task& ended = *task_;
    ended.failure_seen = true;
    if (ended.end == task_end::returned) return ended.closure();
    const fiber_handle ending{std::move(*this)};
    if (ended.end == task_end::failed) std::rethrow_exception(ended.failure);
    throw fiber_stopped{"fiber::get: the fiber was stopped and has no result"};
}

bool fiber_handle::wait(const char* operation, const deadline& until) {
    task& awaited = checked(operation);
    if (awaited.state == task_state::ended) return true;
    scheduler& here = scheduler::enter(operation);
    if (awaited.state == task_state::ended) return true;
    join_waiter me{here.running(), awaited, operation};
    return here.park(me, until) == outcome::woken || me.has_ended();
}

task& task_of(const fiber_handle& handle, const char* operation) { return handle.checked(operation); }

task& fiber_handle::checked(const char* operation) const {
    if (task_ == nullptr) {
        throw_misuse(std::errc::invalid_argument, operation,
                     "the handle is empty (moved from, detached, or get() was already called)");
    }
    if (task_->state == task_state::ended) return *task_;
    const scheduler* const here = scheduler::current();
    if (here == nullptr && task_->slab->is_from_parent_process()) scheduler::get(operation);  // throws
    if (here == nullptr || !here->owns(*task_)) {
        throw wrong_scheduler{std::string{operation} + ": the fiber belongs to another scheduler; "
                                                       "use its handle only on the thread that spawned it"};
    }
    return *task_;
}

/// For the destructor: stops the fiber and waits for its end, even if the calling fiber is stopped meanwhile.
void fiber_handle::end() noexcept {
    task& ending = *task_;
    if (ending.state != task_state::ended) {
        if (ending.slab->is_from_parent_process()) {
            task_ = nullptr;  // the fiber exists only in the parent of this process
            return;
        }
        scheduler* const here = scheduler::current();
        COIR_CHECK(here != nullptr && here->owns(ending),
                   "~fiber: the handle of a running fiber is destroyed outside the fiber's scheduler; "
                   "destroy it on the thread that spawned the fiber");
        task& self = here->running();
        COIR_CHECK(&ending != &self, "~fiber: a fiber destroys its own handle, but cannot wait for its own end");
        COIR_CHECK(!join_waiter::is_joined(ending),
                   "~fiber: the handle is destroyed while another fiber waits for its end; "
                   "end that wait first");
        here->request_stop(ending);
        ++self.shields;
        wait("~fiber", never);
        --self.shields;
    }
    task_ = nullptr;
    scheduler::release(ending);
}

}  // namespace coir::detail
