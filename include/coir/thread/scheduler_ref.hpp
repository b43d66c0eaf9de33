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

/// Names a scheduler, for other threads: the way to have a fiber of it do something. Copied and used from any thread,
/// also when the scheduler has ended. See `spawn_on` where the end or the result is wanted.
///
/// What is posted waits in memory, however much it is: where it may come faster than it is worked off, send it through
/// a `concurrent_channel`. While one is alive its scheduler may be posted to, so fibers that wait there are in no
/// deadlock.
///
/// @code
/// coir::scheduler_ref here = coir::this_scheduler();
/// coir::event greeted;
/// coir::offload([here, &greeted] { here.post([&greeted] { greeted.set(); }); });  // from another thread
/// greeted.wait();
/// @endcode
class scheduler_ref {
public:
    /// Of no scheduler: as of one that has ended.
    scheduler_ref() noexcept = default;
    scheduler_ref(const scheduler_ref& other) noexcept;
    scheduler_ref(scheduler_ref&& other) noexcept : gate_{std::exchange(other.gate_, nullptr)} {}
    scheduler_ref& operator=(scheduler_ref other) noexcept {
        std::swap(gate_, other.gate_);
        return *this;
    }
    ~scheduler_ref();

    /// Has a fiber of that scheduler call `f()`, and does not wait. Fibers begin in the order in which one thread has
    /// posted. What `f` throws goes to that scheduler's `on_unhandled_exception`. Takes a lock of no kind, and makes a
    /// system call only when that scheduler sleeps.
    ///
    /// What is posted runs, or `scheduler_gone` is thrown: from the moment on that the first fiber there has ended. One
    /// that was posted just before begins stopped, as what is spawned then. Throws `std::bad_alloc`. `f` is destroyed
    /// in that scheduler's thread.
    template <class F>
    requires std::invocable<std::decay_t<F>>
    [[gnu::always_inline]] inline void post(F&& f) const { post({}, std::forward<F>(f)); }

    template <class F>
    requires std::invocable<std::decay_t<F>>
    [[gnu::always_inline]] inline void post(fiber_options options, F&& f) const {
        using call = detail::posted_closure<F>;
        auto made = std::make_unique<call>(options.name, options.stack_size, std::forward<F>(f));
        send(*made);
        static_cast<void>(made.release());
    }

    /// Whether it takes what is posted. By the time that `true` is looked at it may have ended: `post` knows.
    [[nodiscard]] bool alive() const noexcept;

    friend bool operator==(const scheduler_ref&, const scheduler_ref&) noexcept = default;

private:
    friend scheduler_ref this_scheduler();
    friend detail::gate* detail::gate_of(const scheduler_ref& known) noexcept;
    explicit scheduler_ref(detail::gate& known) noexcept : gate_{&known} {}

    /// It is posted at this call's return address: to be called from code that is inlined into the user's.
    [[gnu::noinline]] void send(detail::posted_call& call) const;

    detail::gate* gate_ = nullptr;
};

/// The calling fiber's scheduler. Throws `not_in_fiber`, `std::bad_alloc`.
[[nodiscard]] scheduler_ref this_scheduler();

}  // namespace coir
