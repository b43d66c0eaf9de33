#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/detail/core/wait_queue.hpp>
#include <coir/exception_group.hpp>
#include <coir/fiber.hpp>
#include <coir/limit.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <limits>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

class group_core;

/// A group's record of one of its fibers. It lies in front of the fiber's closure.
struct group_member : list_hook {
    group_core* group = nullptr;
    task* fiber = nullptr;
};

/// The part of a group that does not depend on what its fibers run.
class group_core {
public:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
    /// Called instead of stopping the other members when one has failed. It must not suspend: a fiber that got no stack
    /// has failed while another one was about to suspend.
    using failure_handler = void (*)(group_core& group, const std::exception_ptr& failure) noexcept;

    explicit group_core(std::size_t most = unlimited, failure_handler on_failure = nullptr) noexcept
        : slots_{most}, on_failure_{on_failure} {}
    ~group_core();
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;

    /// Waits until a slot is free, and takes it. Throws `wrong_scheduler`, `cancelled`, `scope_expired`.
    void take_slot(const char* operation);
    void give_slot_back() noexcept;
    /// Makes the fiber a member. The fiber gives its slot back when it ends.
    void adopt(group_member& member, task& started);

    /// Where the members count as spawned, for groups that the library makes; nullptr: where each one is.
    void set_spawn_site(const void* site) noexcept { spawn_site_ = site; }
    [[nodiscard]] const void* spawn_site() const noexcept { return spawn_site_; }

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }
    void request_stop();

    /// Waits until all have ended. Throws `timed_out`, `cancelled`, `scope_expired`.
    void join(const char* operation, const deadline& until = never);

    /// Throws the failures, if there are any: a single one as it is, several as an `exception_group`. Then the group
    /// may be used again.
    void rethrow_failures();

    /// As above, but throws only the exception of the first fiber that failed.
    void rethrow_first_failure();

private:
    static void on_end(task& ended) noexcept;
    void let_go_of_failed() noexcept;
    void forget_members() noexcept;

    list<group_member> running_;
    list<group_member> failed_;  // in the order of failing; have ended, and are kept for their exceptions
    wait_queue all_ended_{"task_group"};
    wait_queue to_spawn_{"a slot in a task_group"};
    std::size_t slots_;  // free slots; above 0 only if no fiber waits to spawn
    failure_handler on_failure_;
    const void* spawn_site_ = nullptr;
    bool stopping_ = false;

    friend struct group_joiner;
};

/// Holds a slot in a group until a fiber takes it over.
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

    static void run(void* self) {
        body& here = *static_cast<member_closure*>(self);
        body::run(&here);
        if constexpr (!std::is_trivially_destructible_v<result_slot<typename body::result>>) {
            const shielded_end shield;
            here.value.reset();  // nobody asks for the result
        }
    }
    static void destroy(void* self) noexcept { static_cast<member_closure*>(self)->~member_closure(); }
    static constexpr closure_ops ops{run, destroy};
};

template <class F, class... A>
[[gnu::always_inline]] inline void spawn_member(group_core& group, std::string_view name, std::size_t stack_bytes,
                                                F&& f, A&&... arguments) {
    using closure_type = member_closure<F, A...>;
    group_slot slot{group, "task_group::spawn"};
    task& spawned = make_task(sizeof(closure_type), alignof(closure_type));
    closure_type* member = nullptr;
    try {
        member = ::new (closure_of(spawned)) closure_type{std::forward<F>(f), std::forward<A>(arguments)...};
    } catch (...) {
        discard_task(spawned);
        throw;
    }
    start_task(spawned, closure_type::ops, name, stack_bytes, group.spawn_site());
    slot.give_to(*member, spawned);
}

}  // namespace detail

/// Fibers that belong together and end together. When one fails, the others are stopped. The destructor stops all
/// fibers that still run and waits for them, shielded. No fiber outlives its group, so it may use objects that were
/// created before the group. A failure that no `wait` has thrown then goes to `on_unhandled_exception`.
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

    /// At most `most.at_once` fibers of the group run at the same time: `spawn` waits for a free slot. A fiber of the
    /// group that spawns into the same group keeps its own slot while it waits, so spawn from outside the group.
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

    /// As `coir::spawn`, but the result of the fiber is discarded. A fiber that is spawned into a stopping group is
    /// stopped from the beginning. Throws also `wrong_scheduler` and, if it has to wait for a slot, `cancelled` and
    /// `scope_expired`: then nothing was spawned. `with_timeout` limits that wait. No cancellation point if a slot is
    /// free.
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

    /// Waits until all fibers of the group have ended. If one failed, throws its exception. If several failed, on their
    /// own or while they were being stopped, throws an `exception_group` of all failures. A fiber that was stopped is
    /// no failure. Afterwards the group may be used again. Throws `timed_out`, `cancelled`, `scope_expired`: then the
    /// fibers run on until the destructor stops them. No cancellation point if no fiber runs.
    void wait(deadline until = never) {
        core_.join("task_group::wait", until);
        core_.rethrow_failures();
    }

    /// Stops all fibers of the group, and each fiber that is spawned before the next `wait` has returned. Does not
    /// wait.
    void request_stop() { core_.request_stop(); }

private:
    detail::group_core core_;
};

}  // namespace coir
