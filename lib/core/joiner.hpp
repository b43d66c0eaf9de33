#pragma once

#include <system_error>

#include "core/task.hpp"
#include "core/waiter.hpp"

namespace coir::detail {

/// A waiter that is woken by the end of a fiber. A fiber has one joiner at a time.
class joiner : public completion, public waiter {
public:
    /// Throws `std::system_error`: `resource_deadlock_would_occur` when `who` awaits itself, `operation_not_permitted`
    /// when another one already waits.
    joiner(task& who, task& awaited, const char* operation)
        : completion{on_end}, waiter{who, "the end of a fiber"}, awaited_{&awaited} {
        if (&who == &awaited) throw_misuse(std::errc::resource_deadlock_would_occur, operation);
        if (awaited.observer != nullptr && !gives_way(*awaited.observer)) {
            throw_misuse(std::errc::operation_not_permitted, operation);
        }
        awaited.observer = this;
        held_by = &awaited_;
    }
    ~joiner() {
        if (awaited_ != nullptr) awaited_->observer = nullptr;
    }

private:
    static void on_end(completion& self, task&) noexcept {
        auto& joins = static_cast<joiner&>(self);
        joins.awaited_ = nullptr;  // its record may be gone before this fiber runs
        joins.wake(outcome::woken);
    }

    /// Who was woken by something else has only to run yet, and stands in nobody's way.
    static bool gives_way(completion& other) noexcept {
        if (other.done != on_end) return false;
        auto& joins = static_cast<joiner&>(other);
        if (joins.result == outcome::waiting) return false;
        joins.awaited_ = nullptr;
        return true;
    }

    [[noreturn]] static void throw_misuse(std::errc what, const char* operation) {
        throw std::system_error{std::make_error_code(what), operation};
    }

    task* awaited_;
};

}  // namespace coir::detail
