#pragma once

#include "models/operation.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace coir::models {

/// Why a fiber that waited runs on.
enum class reason : std::uint8_t { woken, time_is_up, stopped, outer_expired, inner_expired };

/// Fibers that wait, in the order in which they came.
class fiber_queue {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    void push(int fiber) { fibers_[count_++] = fiber; }
    int pop_first();
    /// The fiber that is served next.
    int pop() { return last_comes_first ? pop_last() : pop_first(); }
    void erase(int fiber);

    /// The deliberate fault of a self-test.
    inline static bool last_comes_first = false;

private:
    int pop_last() { return fibers_[--count_]; }

    std::array<int, fibers> fibers_{};
    std::size_t count_ = 0;
};

/// A sequential model of a primitive and of the fibers that use it: it says which operations end, in which order and
/// how. Written from the contracts in include/coir, not from the code: waiters are served first come, first served, a
/// woken fiber runs after those that are already ready, and time passes only when no fiber is ready.
class model {
public:
    virtual ~model() = default;

    /// A fiber that is not in an operation begins one. Everything that follows at once happens.
    void begin(int fiber, const operation& what);
    /// Half a tick passes, limits end, and another half a tick passes.
    void pass_tick();
    /// Somebody outside requests a stop of the fiber.
    void stop(int fiber);

    [[nodiscard]] bool is_idle(int fiber) const { return at(fiber).doing == nullptr && !at(fiber).left; }
    [[nodiscard]] bool has_left(int fiber) const { return at(fiber).left; }
    [[nodiscard]] bool have_all_left() const { return ended_.count == ended_.entries.size(); }
    [[nodiscard]] const history& ended() const { return ended_; }
    /// What else the primitive shows of its state.
    [[nodiscard]] virtual int state() const { return 0; }

    /// What the real fibers have done. A model may look where the contract leaves the choice to chance.
    const history* real = nullptr;

protected:
    struct party {
        const operation* doing = nullptr;
        bool left = false;
        bool stop_requested = false;
        bool outer_expired = false;
        bool inner_expired = false;
        bool shielded = false;
        bool waits = false;
        bool delayed = false;
        reason why = reason::woken;
        outcome result = outcome::done;  // of a fiber that is woken
        int until = unlimited;           // when the limit of its operation ends
        int stage = 0;                   // for operations that wait more than once
    };

    /// Begins the operation of a fiber: `end`s it, or `wait`s.
    virtual void perform(int fiber) = 0;
    /// A fiber that waited runs on: `end`s its operation, or `wait`s again.
    virtual void resume(int fiber);
    /// Removes the fiber from all queues.
    virtual void withdraw(int fiber) = 0;
    /// A stop of the fiber is requested, for the first time.
    virtual void on_stop(int) {}
    /// What the fiber does at its end.
    virtual void give_back(int) {}

    /// What a suspension throws. A stop comes before the expiry of a scope, an outer scope before an inner one.
    [[nodiscard]] std::optional<reason> due_interruption(int fiber) const;
    void end(int fiber, outcome how);
    /// What a call returns or throws that runs on for the fiber's reason.
    [[nodiscard]] outcome outcome_of(int fiber) const;
    /// Waits, until the operation's limit. Returns false if an interruption is due: the fiber does not wait, but
    /// runs on after those that are ready.
    bool wait(int fiber);
    void wait_in(fiber_queue& queue, int fiber);
    void wake(int fiber, outcome result = outcome::done) { run_on(fiber, reason::woken, result); }
    void run_on(int fiber, reason why, outcome result = outcome::done);
    [[nodiscard]] int now() const { return now_; }
    [[nodiscard]] party& at(int fiber) { return parties_[index(fiber)]; }
    [[nodiscard]] const party& at(int fiber) const { return parties_[index(fiber)]; }

private:
    enum class timer_kind : std::uint8_t { limit, outer, inner };

    struct timer {
        int at;
        int fiber;
        timer_kind kind;
    };

    void begin_now(int fiber);
    void begin_scopes(int fiber);
    void run(int fiber);
    void stop_from_inside(int fiber);
    void interrupt(int fiber);
    void settle();
    bool fire_due();
    void fire(const timer& due);

    std::array<party, fibers> parties_{};
    history ended_;
    fiber_queue ready_;
    std::vector<timer> timers_;  // in the order in which they were set
    int now_ = 0;
};

}  // namespace coir::models
