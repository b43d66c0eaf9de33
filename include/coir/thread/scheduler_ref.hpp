#pragma once

#include <coir/detail/core/posted_call.hpp>
#include <coir/fiber.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace coir {

class scheduler_ref;

namespace detail {
class gate;
gate* gate_of(const scheduler_ref& known) noexcept;
}  // namespace detail

/// Refers to a scheduler from other threads, to have one of its fibers call a function. May be copied and used from any
/// thread, also after the scheduler has ended. If the end or the result of the call is needed, use `spawn_on`.
///
/// Posted calls wait in memory, without a limit, and begin a limited number at a time, so that they leave the other
/// fibers and timers their turn. If they may arrive faster than they are processed, send them through a
/// `concurrent_channel`. While a reference exists, any thread may post to its scheduler, so fibers that wait there
/// never count as deadlocked.
///
/// @code
/// coir::scheduler_ref here = coir::this_scheduler();
/// coir::event greeted;
/// coir::offload([here, &greeted] { here.post([&greeted] { greeted.set(); }); });  // from another thread
/// greeted.wait();
/// @endcode
class scheduler_ref {
public:
    /// Refers to no scheduler. Behaves as a reference to a scheduler that has ended.
    scheduler_ref() noexcept = default;
    scheduler_ref(const scheduler_ref& other) noexcept;
    scheduler_ref(scheduler_ref&& other) noexcept : gate_{std::exchange(other.gate_, nullptr)} {}
    scheduler_ref& operator=(scheduler_ref other) noexcept {
        std::swap(gate_, other.gate_);
        return *this;
    }
    ~scheduler_ref();

    /// A new fiber of that scheduler calls `f()`; the caller does not wait. Fibers begin in the order in which one
    /// thread has posted them. An exception of `f` goes to that scheduler's `on_unhandled_exception`. Takes no lock,
    /// and makes a system call only if that scheduler sleeps.
    ///
    /// Either the posted call runs, or `scheduler_gone` is thrown: the scheduler accepts no calls once its first fiber
    /// has ended. A call that was posted just before that begins in a fiber that is already stopped, like a fiber that
    /// is spawned at that moment. Throws `std::bad_alloc`. `f` is destroyed in that scheduler's thread.
    template <class F>
    requires std::invocable<std::decay_t<F>>
    [[gnu::always_inline]] inline void post(F&& f) const { post({}, std::forward<F>(f)); }

    template <class F>
    requires std::invocable<std::decay_t<F>>
    [[gnu::always_inline]] inline void post(fiber_options options, F&& f) const {
        using call = detail::posted_closure<F>;
        auto posted = std::make_unique<call>(options.name, options.stack_size, std::forward<F>(f));
        send(*posted);
        static_cast<void>(posted.release());
    }

    /// Whether the scheduler accepts posted calls. It may end right after this call has returned true: only `post`
    /// itself is certain.
    [[nodiscard]] bool alive() const noexcept;

    friend bool operator==(const scheduler_ref&, const scheduler_ref&) noexcept = default;

private:
    friend scheduler_ref this_scheduler();
    friend detail::gate* detail::gate_of(const scheduler_ref& known) noexcept;
    explicit scheduler_ref(detail::gate& known) noexcept : gate_{&known} {}

    /// The return address of this call is the spawn site, so call it from code that is inlined into the user's code.
    [[gnu::noinline]] void send(detail::posted_call& call) const;

    detail::gate* gate_ = nullptr;
};

/// The calling fiber's scheduler. Throws `not_in_fiber`, `std::bad_alloc`.
[[nodiscard]] scheduler_ref this_scheduler();

}  // namespace coir
