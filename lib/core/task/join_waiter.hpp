#pragma once

#include "core/misuse.hpp"
#include "core/task/task.hpp"
#include "core/task/waiter.hpp"

namespace coir::detail {

/// A waiter that is woken by the end of a fiber. A fiber has one join_waiter at a time.
class join_waiter : public joiner, public waiter {
public:
    /// What it waits for, in dumps.
    static constexpr char end_of_a_fiber[] = "the end of a fiber";

    /// Throws `std::system_error`: `resource_deadlock_would_occur` when `who` awaits itself, `operation_not_permitted`
    /// when another one already waits.
    join_waiter(task& who, task& awaited, const char* operation)
        : joiner{on_end}, waiter{who, end_of_a_fiber}, awaited_{&awaited} {
        if (&who == &awaited) throw_misuse(std::errc::resource_deadlock_would_occur, operation);
        if (is_joined(awaited)) throw_misuse(std::errc::operation_not_permitted, operation);
        if (awaited.joined_by != nullptr) static_cast<join_waiter*>(awaited.joined_by)->awaited_ = nullptr;
        awaited.joined_by = this;
        held_by = &awaited_;
    }
    ~join_waiter() {
        if (awaited_ != nullptr) awaited_->joined_by = nullptr;
    }

    /// Whether another one waits for its end. Who was woken by something else has only to run yet, and stands in
    /// nobody's way.
    [[nodiscard]] static bool is_joined(const task& awaited) noexcept {
        if (awaited.joined_by == nullptr) return false;
        if (awaited.joined_by->done != on_end) return true;
        return static_cast<const join_waiter*>(awaited.joined_by)->result == outcome::waiting;
    }

private:
    static void on_end(joiner& self, task&) noexcept {
        auto& joins = static_cast<join_waiter&>(self);
        joins.awaited_ = nullptr;  // its record may be gone before this fiber runs
        joins.wake(outcome::woken);
    }

    task* awaited_;
};

}  // namespace coir::detail
