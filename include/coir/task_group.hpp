#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/list.hpp>
#include <coir/detail/spawn.hpp>
#include <coir/detail/wait_queue.hpp>
#include <coir/fiber.hpp>
#include <concepts>
#include <cstddef>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coir {

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
    group_core() = default;
    ~group_core();
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;

    void claim(const char* operation) { all_ended_.claim(operation); }
    void adopt(group_member& member, task& started);

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }
    void request_stop();

    /// Waits until all have ended. Throws `timed_out`, `cancelled`, `scope_expired`.
    void join(const char* operation, const deadline& until = never);

    /// Throws what the first to fail has thrown, if one did. The group may be used again.
    void rethrow_failure();

private:
    static void on_end(task& ended) noexcept;
    void let_go_of_failed() noexcept;

    list<group_member> running_;
    list<group_member> failed_;  // in the order of failing; they have ended, and are kept for what they have thrown
    wait_queue all_ended_{"task_group"};
    bool stopping_ = false;

    friend struct group_observer;
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
    task& made = make_task(sizeof(made_closure), alignof(made_closure));
    made_closure* member = nullptr;
    try {
        group.claim("task_group::spawn");
        member = ::new (closure_of(made)) made_closure{std::forward<F>(f), std::forward<A>(arguments)...};
    } catch (...) {
        discard_task(made);
        throw;
    }
    start_task(made, made_closure::ops, name, stack_bytes);
    group.adopt(*member, made);
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
    /// As `coir::spawn`; what the fiber returns is dropped. Into a group that is stopping it is born stopped.
    /// Throws besides `wrong_scheduler`.
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

    /// Waits until all its fibers have ended, and rethrows what the first to fail has thrown; one that ended by a stop
    /// is no failure. Then the group may be used again. Throws `timed_out`, `cancelled`, `scope_expired`: then its
    /// fibers go on, until the destructor stops them. No cancellation point when none runs.
    void wait(deadline until = never) {
        core_.join("task_group::wait", until);
        core_.rethrow_failure();
    }

    /// Stops all its fibers, and those spawned before the next `wait` has returned. Does not wait.
    void request_stop() { core_.request_stop(); }

private:
    detail::group_core core_;
};

}  // namespace coir
