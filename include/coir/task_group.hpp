#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/detail/core/wait_queue.hpp>
#include <coir/exception_group.hpp>
#include <coir/fiber.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coir {

/// How many fibers may run at once.
struct limit {
    /// Throws `std::invalid_argument` for 0.
    explicit limit(std::size_t at_once);

    std::size_t at_once;
};

namespace detail {

class group_core;

/// What a group keeps of each of its fibers, in front of what the fiber runs.
struct group_member : list_hook {
    group_core* group = nullptr;
    task* fiber = nullptr;
};

/// A group, whatever its fibers run.
class group_core {
public:
    explicit group_core(std::size_t most = std::numeric_limits<std::size_t>::max()) noexcept : slots_{most} {}
    ~group_core();
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;

    /// Waits until there is a slot for one more. Throws `wrong_scheduler`, `cancelled`, `scope_expired`.
    void take_slot(const char* operation);
    void give_slot_back() noexcept;
    /// The fiber gives the slot back when it ends.
    void adopt(group_member& member, task& started);

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }
    void request_stop();

    /// Waits until all have ended. Throws `timed_out`, `cancelled`, `scope_expired`.
    void join(const char* operation, const deadline& until = never);

    /// Throws what has failed, if anything: one failure as it is, several as an `exception_group`. The group may be
    /// used again.
    void rethrow_failures();

    /// As above, but what the first to fail has thrown.
    void rethrow_first_failure();

private:
    static void on_end(task& ended) noexcept;
    void let_go_of_failed() noexcept;
    void forget_members() noexcept;

    list<group_member> running_;
    list<group_member> failed_;  // in the order of failing; they have ended, and are kept for what they have thrown
    wait_queue all_ended_{"task_group"};
    wait_queue to_spawn_{"a slot in a task_group"};
    std::size_t slots_;  // above 0 only when nobody waits to spawn
    bool stopping_ = false;

    friend struct group_joiner;
};

/// A slot in a group, until a fiber has it.
class group_slot {
public:
    group_slot(group_core& group, const char* operation) : group_{&group} { group.take_slot(operation); }
    ~group_slot() {
        if (group_ != nullptr) group_->give_slot_back();
    }
    group_slot(const group_slot&) = delete;
    group_slot& operator=(const group_slot&) = delete;

    void give_to(group_member& member, task& started) { std::exchange(group_, nullptr)->adopt(member, started); }

private:
    group_core* group_;
};

template <class F, class... A> struct member_closure : group_member, closure<F, A...> {
    using body = closure<F, A...>;
    using body::body;

    static void run(void* self) { body::run(static_cast<body*>(static_cast<member_closure*>(self))); }
    static void destroy(void* self) noexcept { static_cast<member_closure*>(self)->~member_closure(); }
    static constexpr closure_ops ops{run, destroy};
};

template <class F, class... A>
[[gnu::always_inline]] inline void spawn_member(group_core& group, std::string_view name, std::size_t stack_bytes,
                                                F&& f, A&&... arguments) {
    using made_closure = member_closure<F, A...>;
    group_slot slot{group, "task_group::spawn"};
    task& made = make_task(sizeof(made_closure), alignof(made_closure));
    made_closure* member = nullptr;
    try {
        member = ::new (closure_of(made)) made_closure{std::forward<F>(f), std::forward<A>(arguments)...};
    } catch (...) {
        discard_task(made);
        throw;
    }
    start_task(made, made_closure::ops, name, stack_bytes);
    slot.give_to(*member, made);
}

}  // namespace detail

/// Fibers that belong together and end together. When one fails, the others are stopped. The destructor stops all that
/// still run and waits for them, shielded: no fiber of a group outlives it, so they may use what was there before it.
/// A failure that no `wait` has thrown is then reported as that of a fiber nobody asked (`on_unhandled_exception`).
///
/// @code
/// int sum = 0;
/// coir::task_group group;
/// for (int i = 1; i <= 3; ++i) group.spawn([&sum, i] { sum += i; });
/// group.wait();
/// if (sum != 6) throw std::logic_error{"sum"};
/// @endcode
class task_group {
public:
    task_group() = default;

    /// At most so many of its fibers run at once: `spawn` waits for a slot. A fiber of the group keeps its own while
    /// it spawns into the group, so let others spawn.
    ///
    /// @code
    /// coir::task_group group{coir::limit{2}};
    /// int running = 0;
    /// for (int i = 0; i < 5; ++i) {
    ///     group.spawn([&running] {
    ///         if (++running > 2) throw std::logic_error{"crowded"};
    ///         coir::this_fiber::yield();
    ///         --running;
    ///     });
    /// }
    /// group.wait();
    /// @endcode
    explicit task_group(limit most) noexcept : core_{most.at_once} {}

    /// As `coir::spawn`; what the fiber returns is dropped. Into a group that is stopping it is born stopped. Throws
    /// besides `wrong_scheduler`; where it waits for a place, `cancelled`, `scope_expired`: then nothing was spawned.
    /// `with_timeout` limits that wait. No cancellation point when there is a slot.
    template <class F, class... A>
    requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
    [[gnu::always_inline]] void spawn(F&& f, A&&... arguments) {
        detail::spawn_member(core_, {}, 0, std::forward<F>(f), std::forward<A>(arguments)...);
    }

    template <class F, class... A>
    requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
    [[gnu::always_inline]] void spawn(fiber_options options, F&& f, A&&... arguments) {
        detail::spawn_member(core_, options.name, options.stack_size, std::forward<F>(f),
                             std::forward<A>(arguments)...);
    }

    /// Waits until all its fibers have ended, and rethrows what one has thrown; where several have failed, on their own
    /// or while they were being stopped, throws an `exception_group` of them all. One that ended by a stop is no
    /// failure. Then the group may be used again. Throws `timed_out`, `cancelled`, `scope_expired`: then its fibers go
    /// on, until the destructor stops them. No cancellation point when none runs.
    void wait(deadline until = never) {
        core_.join("task_group::wait", until);
        core_.rethrow_failures();
    }

    /// Stops all its fibers, and those spawned before the next `wait` has returned. Does not wait.
    void request_stop() { core_.request_stop(); }

private:
    detail::group_core core_;
};

}  // namespace coir
