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

/// The C++ runtime's record of a flow of control: the exceptions it handles and those in flight (Itanium C++ ABI,
/// "Exception Handling" 2.2.2, `__cxa_eh_globals`). A fiber's own: exchanged on every switch (invariant 9).
struct exception_state {
    void* caught = nullptr;
    unsigned int uncaught = 0;

    [[nodiscard]] bool any() const noexcept { return caught != nullptr || uncaught != 0; }
};

/// Tasks that are ready to run, first come first served.
class ready_list {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] task* front() const noexcept { return head_; }
    inline void push(task& ready) noexcept;
    inline task* pop() noexcept;

    // For orders of another kind; each looks at all of them.
    [[nodiscard]] inline std::size_t count() const noexcept;
    template <class F> void for_each(F&& f) const;
    /// The first one for which `is_wanted` is true.
    template <class P> void bring_to_front(P&& is_wanted) noexcept;

private:
    task* head_ = nullptr;
    task* tail_ = nullptr;
};

/// Told when a task has ended: a joiner, a group. One a task, and it outlives the task or takes itself off.
struct joiner {
    void (*done)(joiner&, task&) noexcept;
};

enum class task_state : std::uint8_t {
    unstarted,  // ready, and without a stack until it first runs
    ready,      // ready, or running: which one runs is known by `scheduler_status`
    parked,     // until its waiter is woken
    ended,
};

enum class task_end : std::uint8_t { returned, failed, stopped };

/// What a task is to be told at its next suspension.
struct interruption {
    bool stop = false;
    const expiry_scope* expired = nullptr;
    explicit operator bool() const noexcept { return stop || expired != nullptr; }
};

/// The scheduler's record of one fiber. Knows its ready list and its slab, and no scheduler.
class task : public list_hook {  // in the scheduler's list of those alive
public:
    task(ready_list& list, record_slab& records) noexcept : ready{&list}, slab{&records} {}

    /// Only a parked task is made ready (invariant 4); the waiter that was woken answers for "once".
    void make_ready() noexcept {
        COIR_CHECK(state == task_state::parked, "a task that does not wait is woken");
        state = task_state::ready;
        ready->push(*this);
    }

    /// What would be thrown at a suspension now; `uncaught` exceptions are in flight in the fiber. A stop comes before
    /// an expiry, an outer scope before an inner one; shields and destructors that run while an exception is in flight
    /// hold back what came from around them.
    [[nodiscard]] interruption due(int uncaught) const noexcept {
        if (stop_requested && shields == 0 && uncaught == 0) return {.stop = true};
        const expiry_scope* found = nullptr;
        for (const expiry_scope* scope = scopes; scope != nullptr; scope = scope->outer) {
            if (scope->expired && scope->shields == shields && uncaught <= scope->uncaught) found = scope;
        }
        return {.expired = found};
    }

    /// Whether something may come due, now or when a shield is left.
    [[nodiscard]] bool has_pending_interruption() const noexcept {
        const expiry_scope* scope = scopes;
        while (scope != nullptr && !scope->expired) scope = scope->outer;
        return stop_requested || scope != nullptr;
    }

    /// What the fiber runs, and its result: behind the record, in the same memory.
    [[nodiscard]] void* closure() noexcept { return reinterpret_cast<std::byte*>(this) + closure_offset; }

    // What a switch touches: one cache line, with the hook before it.
    context flow;
    exception_state exceptions;  // while another task runs
    task* next_ready = nullptr;
    task_state state = task_state::unstarted;
    bool attention = false;  // a stop was requested or a scope has expired: look at due()
    bool stop_requested = false;
    task_end end = task_end::returned;
    std::uint16_t shields = 0;  // shield_scopes open
    std::uint16_t permits = 0;  // allow_blocking open; read by the detector
    ready_list* ready;

    waiter* waits = nullptr;  // while parked
    joiner* joined_by = nullptr;
    expiry_scope* scopes = nullptr;  // innermost first
    const closure_ops* ops = nullptr;
    boost::context::stack_context stack;
    std::uint64_t id = 0;
    const void* spawn_site = nullptr;  // a return address in the code that called spawn
    const char* name = nullptr;        // in the slab, or none
    std::exception_ptr failure;
    std::stop_source* stop = nullptr;  // made by the first call of stop_token()
    local_values* locals = nullptr;    // of fiber_local
    record_slab* slab;
    std::uint32_t bytes = 0;      // of the record
    std::uint32_t stack_kib = 0;  // asked for, as the pool rounds it; 0: the scheduler's default
    std::uint16_t closure_offset = 0;
    std::uint16_t name_bytes = 0;
    std::uint16_t interrupted_in_a_row = 0;  // suspensions that threw since it last parked
    bool stack_pooled = true;                // from the scheduler's pool, not from the program's allocator
    bool handle_alive = true;                // someone owns the record and may ask for the result
    bool failure_seen = false;               // someone was given the exception
};

/// What the library does for a fiber is not the fiber's doing: detectors look away while this lives.
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
    for (const task* at = head_; at != nullptr; at = at->next_ready) f(*at);
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
