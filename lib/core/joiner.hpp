#pragma once

#include "core/misuse.hpp"
#include "core/task.hpp"
#include "core/waiter.hpp"

namespace coir::detail {

/// A waiter that is woken by the end of a fiber. A fiber has one joiner at a time.
class joiner : public completion, public waiter {
public:
    /// What it waits for, in dumps.
    static constexpr char end_of_a_fiber[] = "the end of a fiber";

    /// Throws `std::system_error`: `resource_deadlock_would_occur` when `who` awaits itself, `operation_not_permitted`
    /// when another one already waits.
    joiner(task& who, task& awaited, const char* operation)
        : completion{on_end}, waiter{who, end_of_a_fiber}, awaited_{&awaited} {
        if (&who == &awaited) throw_misuse(std::errc::resource_deadlock_would_occur, operation);
        if (is_joined(awaited)) throw_misuse(std::errc::operation_not_permitted, operation);
        if (awaited.observer != nullptr) static_cast<joiner*>(awaited.observer)->awaited_ = nullptr;
        awaited.observer = this;
        held_by = &awaited_;
    }
    ~joiner() {
        if (awaited_ != nullptr) awaited_->observer = nullptr;
    }

    /// Whether another one waits for its end. Who was woken by something else has only to run yet, and stands in
    /// nobody's way.
    [[nodiscard]] static bool is_joined(const task& awaited) noexcept {
        if (awaited.observer == nullptr) return false;
        if (awaited.observer->done != on_end) return true;
        return static_cast<const joiner*>(awaited.observer)->result == outcome::waiting;
    }

private:
    static void on_end(completion& self, task&) noexcept {
        auto& joins = static_cast<joiner&>(self);
        joins.awaited_ = nullptr;  // its record may be gone before this fiber runs
        joins.wake(outcome::woken);
    }

    task* awaited_;
};

}  // namespace coir::detail
