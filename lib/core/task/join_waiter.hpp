#pragma once

#include "core/misuse.hpp"
#include "core/task/task.hpp"
#include "core/task/waiter.hpp"

namespace coir::detail {

/// A waiter that is woken when a fiber ends. A fiber has at most one join_waiter at a time.
class join_waiter : public joiner, public waiter {
public:
    /// Names the awaited thing in dumps.
    static constexpr char end_of_a_fiber[] = "the end of a fiber";

    /// Throws `std::system_error`: `resource_deadlock_would_occur` if `waiting` is `awaited`, `operation_not_permitted`
    /// if another fiber already waits for `awaited`.
    join_waiter(task& waiting, task& awaited, const char* operation)
        : joiner{on_end}, waiter{waiting, end_of_a_fiber}, awaited_{&awaited} {
        if (&waiting == &awaited)
            throw_misuse(std::errc::resource_deadlock_would_occur, operation, "a fiber cannot wait for its own end");
        if (is_joined(awaited))
            throw_misuse(std::errc::operation_not_permitted, operation, "another fiber already waits for this fiber");
        if (awaited.joined_by != nullptr) static_cast<join_waiter*>(awaited.joined_by)->awaited_ = nullptr;
        awaited.joined_by = this;
        held_by = &awaited_;
    }
    ~join_waiter() {
        if (awaited_ != nullptr) awaited_->joined_by = nullptr;
    }

    /// Whether the awaited fiber has ended, also if that was after the wait had ended otherwise.
    [[nodiscard]] bool has_ended() const noexcept { return ended_; }

    /// Whether a fiber still waits for the end of `awaited`. A join_waiter whose wait has ended otherwise (timeout,
    /// stop) does not count: it only stays registered until its fiber runs.
    [[nodiscard]] static bool is_joined(const task& awaited) noexcept {
        if (awaited.joined_by == nullptr) return false;
        if (awaited.joined_by->done != on_end) return true;
        return static_cast<const join_waiter*>(awaited.joined_by)->result == outcome::waiting;
    }

private:
    static void on_end(joiner& self, task&) noexcept {
        auto& joins = static_cast<join_waiter&>(self);
        joins.ended_ = true;
        joins.awaited_ = nullptr;  // the ended task's record may be freed before the waiting fiber runs
        joins.wake(outcome::woken);
    }

    task* awaited_;
    bool ended_ = false;
};

}  // namespace coir::detail
