#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/let_others_run.hpp>
#include <coir/detail/core/owner.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

/// The part of a barrier that does not depend on its completion function. If a member returns true, all have arrived:
/// the caller then completes the phase and begins the next one.
class barrier_core {
public:
    explicit barrier_core(std::ptrdiff_t expected) noexcept;
    ~barrier_core();
    barrier_core(const barrier_core&) = delete;
    barrier_core& operator=(const barrier_core&) = delete;

    [[nodiscard]] std::uint64_t phase() const noexcept { return phase_; }

    [[nodiscard]] bool arrive(const char* operation, std::ptrdiff_t arrivals);
    [[nodiscard]] bool arrive_and_drop();

    /// Returns false after a wait, once the phase has ended.
    [[nodiscard]] bool arrive_or_wait(const deadline& until);

    void wait(std::uint64_t phase, const deadline& until);

    /// Begins the next phase and wakes all waiters.
    void begin_phase() noexcept;

private:
    struct barrier_waiter;

    void park(std::ptrdiff_t arrivals, const char* operation, const deadline& until);
    void forget_waiting() noexcept;

    list<barrier_waiter> waiting_;
    owner owner_;
    std::uint64_t phase_ = 0;
    std::ptrdiff_t expected_;
    std::ptrdiff_t missing_;  // arrivals still missing in this phase; 0 only while it is completed
};

struct no_completion {
    void operator()() const noexcept {}
};

}  // namespace detail

/// Makes fibers wait until the expected number has arrived, phase after phase; modelled on `std::barrier`. The last
/// fiber to arrive calls the completion function, which neither throws nor suspends; then all continue. Belongs to the
/// scheduler that first used it; a call from another thread throws `wrong_scheduler`. Must outlive every call that
/// waits on it; otherwise the program aborts.
///
/// A fiber that stops waiting, because of a stop or a deadline, leaves nothing behind: if `arrive_and_wait` throws, its
/// arrival is taken back, and the others wait until another arrival replaces it. A fiber that will not arrive again,
/// because it ends, calls `arrive_and_drop`. That is allowed in an exception handler and in a destructor.
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
    static_assert(std::is_nothrow_invocable_v<Completion&>, "barrier: the completion function must be noexcept");

public:
    /// Identifies the phase that `arrive` was called in.
    class [[nodiscard]] arrival_token {
    public:
        arrival_token(arrival_token&&) noexcept = default;
        arrival_token& operator=(arrival_token&&) noexcept = default;

    private:
        friend barrier;
        explicit arrival_token(std::uint64_t phase) noexcept : phase_{phase} {}

        std::uint64_t phase_;
    };

    /// Aborts if `expected` is negative.
    explicit barrier(std::ptrdiff_t expected, Completion on_completion = Completion{})
        : core_{expected}, completion_(std::move(on_completion)) {}

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return std::numeric_limits<std::ptrdiff_t>::max(); }

    /// Arrives and does not wait: to wait, pass the token to `wait`. Aborts if `arrivals` is less than 1 or more than
    /// the arrivals that are still missing.
    arrival_token arrive(std::ptrdiff_t arrivals = 1) {
        arrival_token token{core_.phase()};
        if (core_.arrive("barrier::arrive", arrivals)) complete();
        return token;
    }

    /// Waits for the end of the token's phase; returns at once if it has ended (then no cancellation point). Throws
    /// `timed_out`, `cancelled`, `scope_expired`: then the phase has not ended, the arrival still counts, and the token
    /// is valid for another wait.
    void wait(arrival_token&& token, deadline until = never) {
        core_.wait(token.phase_, until);
        detail::let_others_run();
    }

    /// Arrives and waits for the end of the phase. The last to arrive does not wait (then no cancellation point).
    /// Throws `timed_out`, `cancelled`, `scope_expired`: then the phase has not ended, and the arrival is taken back.
    void arrive_and_wait(deadline until = never) {
        if (core_.arrive_or_wait(until)) complete();
        detail::let_others_run();
    }

    /// Arrives for the last time: from the next phase on, one arrival fewer is expected. Never waits.
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
