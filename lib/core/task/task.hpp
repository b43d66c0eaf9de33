#pragma once

#include <coir/detail/base/list.hpp>
#include <coir/detail/core/expiry_scope.hpp>

#include "base/check.hpp"
#include "core/switch/context.hpp"

#include <boost/context/stack_context.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <stop_token>
#include <utility>

namespace coir::detail {

class task;
class record_slab;
struct closure_ops;
struct local_values;
struct waiter;

/// The exceptions that a flow of control handles and those in flight, as the C++ runtime records them (Itanium C++ ABI,
/// "Exception Handling" 2.2.2, `__cxa_eh_globals`). Each fiber has its own: exchanged on every switch (invariant 9).
struct exception_state {
    void* caught = nullptr;
    unsigned int uncaught = 0;

    [[nodiscard]] bool any() const noexcept { return caught != nullptr || uncaught != 0; }
};

/// The tasks that are ready to run, first come, first served.
class ready_list {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] task* front() const noexcept { return head_; }
    inline void push(task& ready) noexcept;
    inline task* pop() noexcept;

    // For other orders than first come, first served. Each of these takes linear time.
    [[nodiscard]] inline std::size_t count() const noexcept;
    template <class F> void for_each(F&& f) const;
    /// Moves the first task for which `is_wanted` is true to the front. Requires that there is such a task.
    template <class P> void bring_to_front(P&& is_wanted) noexcept;

private:
    task* head_ = nullptr;
    task* tail_ = nullptr;
};

/// Notified when a task ends: a fiber that joins it, or a group. A task has at most one. It must outlive the task or
/// remove itself from it.
struct joiner {
    void (*done)(joiner&, task&) noexcept;
};

enum class task_state : std::uint8_t {
    unstarted,  // ready for its first run; has no stack yet
    ready,      // ready or running; `scheduler_status` says which task runs
    parked,     // suspended until its waiter is woken
    ended,
};

enum class task_end : std::uint8_t { returned, failed, stopped };

/// What a task's next suspension throws: a stop, an expired scope, or nothing.
struct interruption {
    bool stop = false;
    const expiry_scope* expired = nullptr;
    explicit operator bool() const noexcept { return stop || expired != nullptr; }
};

/// The scheduler's record of one fiber. Refers to its ready list and its slab, but not to the scheduler. The hook is
/// for the scheduler's list of tasks that are alive.
class task : public list_hook {
public:
    task(ready_list& list, record_slab& records) noexcept : ready{&list}, slab{&records} {}

    /// Called by the waiter that was woken, which ensures that it is called once for each wait (invariant 4). The task
    /// must be parked.
    void make_ready() noexcept {
        COIR_CHECK(state == task_state::parked, "a task that is not parked is woken (invariant 4)");
        state = task_state::ready;
        ready->push(*this);
    }

    /// What a suspension would throw now; `uncaught` is the number of exceptions in flight in the fiber. A stop takes
    /// precedence over an expired scope, and an outer scope over an inner one. A shield, and a destructor that runs
    /// during unwinding, hold back a stop and the expiry of scopes that enclose them.
    [[nodiscard]] interruption due(int uncaught) const noexcept {
        if (stop_requested && shields == 0 && uncaught == 0) return {.stop = true};
        const expiry_scope* found = nullptr;
        for (const expiry_scope* scope = scopes; scope != nullptr; scope = scope->outer) {
            if (scope->expired && scope->shields == shields && uncaught <= scope->uncaught) found = scope;
        }
        return {.expired = found};
    }

    /// Whether an interruption is due, now or once no shield and no exception holds it back.
    [[nodiscard]] bool has_pending_interruption() const noexcept {
        const expiry_scope* scope = scopes;
        while (scope != nullptr && !scope->expired) scope = scope->outer;
        return stop_requested || scope != nullptr;
    }

    /// The address space that the task has asked for as its stack; `otherwise` if it has not.
    [[nodiscard]] std::size_t stack_bytes_or(std::size_t otherwise) const noexcept {
        return stack_kib != 0 ? std::size_t{stack_kib} << 10 : otherwise;
    }

    /// The fiber's function and later its result. Stored behind the record in the same allocation.
    [[nodiscard]] void* closure() noexcept { return reinterpret_cast<std::byte*>(this) + closure_offset; }

    // The members that a switch uses are in one cache line, together with the hook of the base class.
    context flow;
    exception_state exceptions;  // while another task runs
    task* next_ready = nullptr;
    task_state state = task_state::unstarted;
    bool attention = false;  // a stop was requested or a scope has expired: check due()
    bool stop_requested = false;
    task_end end = task_end::returned;
    std::uint16_t shields = 0;  // number of open shield_scope objects
    std::uint16_t permits = 0;  // number of open allow_blocking objects; read by the detector
    ready_list* ready;

    waiter* waits = nullptr;  // while parked
    joiner* joined_by = nullptr;
    expiry_scope* scopes = nullptr;  // innermost first
    const closure_ops* ops = nullptr;
    boost::context::stack_context stack;
    std::uint64_t id = 0;
    std::uint64_t parent = 0;          // the id of the fiber that spawned this one; 0 if none did
    const void* spawn_site = nullptr;  // a return address in the code that called spawn
    const char* name = nullptr;        // allocated from the slab; nullptr if the fiber has no name
    std::exception_ptr failure;
    std::stop_source* stop = nullptr;  // made by the first call of stop_token()
    local_values* locals = nullptr;    // the fiber's fiber_local values
    record_slab* slab;
    std::uint32_t bytes = 0;      // size of the record including the closure
    std::uint32_t stack_kib = 0;  // requested stack size, rounded by the pool; 0: the scheduler's default
    std::uint32_t demotion = 0;   // for the schedule_order: 0 if never demoted; the highest has the lowest priority
    std::uint16_t closure_offset = 0;
    std::uint16_t name_bytes = 0;
    std::uint16_t interrupted_in_a_row = 0;  // suspensions that have thrown since the task last parked
    bool stack_pooled = true;                // the stack is from the scheduler's pool, not from the program's allocator
    bool handle_alive = true;                // a handle or group owns the record and may retrieve the result
    bool failure_seen = false;               // the exception has been retrieved or reported
};

/// Blocking calls are not reported for the lifetime of this object: they are made by the library, not by the fiber's
/// own code.
class detection_paused {
public:
    explicit detection_paused(task& fiber) noexcept : fiber_{fiber} { ++fiber_.permits; }
    ~detection_paused() { --fiber_.permits; }
    detection_paused(const detection_paused&) = delete;
    detection_paused& operator=(const detection_paused&) = delete;

private:
    task& fiber_;
};

inline void ready_list::push(task& ready) noexcept {
    ready.next_ready = nullptr;
    if (head_ == nullptr)
        head_ = &ready;
    else
        tail_->next_ready = &ready;
    tail_ = &ready;
}

inline task* ready_list::pop() noexcept {
    task* const first = head_;
    if (first != nullptr) head_ = first->next_ready;
    return first;
}

template <class F> void ready_list::for_each(F&& f) const {
    for (task* at = head_; at != nullptr; at = at->next_ready) f(*at);
}

inline std::size_t ready_list::count() const noexcept {
    std::size_t found = 0;
    for_each([&found](const task&) { ++found; });
    return found;
}

template <class P> void ready_list::bring_to_front(P&& is_wanted) noexcept {
    task* before = nullptr;
    task* wanted = head_;
    while (!is_wanted(*wanted)) before = std::exchange(wanted, wanted->next_ready);
    if (before == nullptr) return;
    before->next_ready = wanted->next_ready;
    if (tail_ == wanted) tail_ = before;
    wanted->next_ready = head_;
    head_ = wanted;
}

}  // namespace coir::detail
