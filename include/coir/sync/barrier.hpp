#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/owner.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

/// What a barrier is, but for its completion function. Where a member returns true, all have arrived: the caller
/// completes the phase, and then begins the next one.
class barrier_core {
public:
    explicit barrier_core(std::ptrdiff_t expected) noexcept;
    ~barrier_core();
    barrier_core(const barrier_core&) = delete;
    barrier_core& operator=(const barrier_core&) = delete;

    [[nodiscard]] std::uint64_t phase() const noexcept { return phase_; }

    [[nodiscard]] bool arrive(const char* operation, std::ptrdiff_t arrivals);
    [[nodiscard]] bool arrive_and_drop();

    /// False once the phase has ended.
    [[nodiscard]] bool arrive_or_wait(const deadline& until);

    void wait(std::uint64_t phase, const deadline& until);

    /// Lets go all who wait.
    void begin_phase() noexcept;

private:
    struct barrier_waiter;

    void park(std::ptrdiff_t arrivals, const char* operation, const deadline& until);
    void forget_waiting() noexcept;

    list<barrier_waiter> waiting_;
    owner owner_;
    std::uint64_t phase_ = 0;
    std::ptrdiff_t expected_;
    std::ptrdiff_t missing_;  // arrivals in this phase; 0 only while it is completed
};

struct no_completion {
    void operator()() const noexcept {}
};

}  // namespace detail

/// Holds fibers until as many have arrived as it expects, phase after phase; shaped like `std::barrier`. The last to
/// arrive calls the completion function, which neither throws nor suspends, and then all go on. Belongs to the
/// scheduler that first used it; a call from another thread throws `wrong_scheduler`. Must outlive every call that
/// waits on it (checked).
///
/// Who gives up waiting, by a stop or in time, has left nothing behind: what `arrive_and_wait` throws takes its arrival
/// back, and the others wait for another one. What must not wait for a fiber any more, since it ends, is told so by
/// `arrive_and_drop`, which is right in a handler and in a destructor.
///
/// @code
/// int rounds = 0;
/// coir::barrier together{2, [&]() noexcept { ++rounds; }};
/// const auto work = [&] {
///     for (int round = 1; round <= 3; ++round) {
///         together.arrive_and_wait();
///         if (rounds != round) throw std::logic_error{"out of step"};
///     }
/// };
/// coir::gather(work, work);
/// @endcode
template <class Completion = detail::no_completion> class barrier {
    static_assert(std::is_nothrow_invocable_v<Completion&>, "a barrier's completion function is noexcept");

public:
    /// Says which phase `arrive` was for.
    class [[nodiscard]] arrival_token {
    public:
        arrival_token(arrival_token&&) noexcept = default;
        arrival_token& operator=(arrival_token&&) noexcept = default;

    private:
        friend barrier;
        explicit arrival_token(std::uint64_t phase) noexcept : phase_{phase} {}

        std::uint64_t phase_;
    };

    /// Fewer than none abort.
    explicit barrier(std::ptrdiff_t expected, Completion on_completion = Completion{})
        : core_{expected}, completion_(std::move(on_completion)) {}

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return std::numeric_limits<std::ptrdiff_t>::max(); }

    /// Arrives, and does not wait: `wait` with the token does. Less than one arrival, or more than are missing, abort.
    arrival_token arrive(std::ptrdiff_t arrivals = 1) {
        arrival_token token{core_.phase()};
        if (core_.arrive("barrier::arrive", arrivals)) complete();
        return token;
    }

    /// Returns at once when the token's phase has ended (then no cancellation point), else when it does. Throws
    /// `timed_out`, `cancelled`, `scope_expired`: then the phase is still on, the arrival stands, and the token is good
    /// for another wait.
    void wait(arrival_token&& token, deadline until = never) { core_.wait(token.phase_, until); }

    /// Arrives and waits for the end of the phase; the last to arrive does not wait (then no cancellation point).
    /// Throws `timed_out`, `cancelled`, `scope_expired`: then the phase is still on, and the arrival is taken back.
    void arrive_and_wait(deadline until = never) {
        if (core_.arrive_or_wait(until)) complete();
    }

    /// Arrives for the last time: from the next phase on, one less is expected. Never waits.
    void arrive_and_drop() {
        if (core_.arrive_and_drop()) complete();
    }

private:
    void complete() noexcept {
        completion_();
        core_.begin_phase();
    }

    detail::barrier_core core_;
    [[no_unique_address]] Completion completion_;
};

}  // namespace coir
