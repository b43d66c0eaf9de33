#include <coir/detail/thread/result_core.hpp>
#include <coir/shield.hpp>

#include "core/misuse.hpp"
#include "sync/parker.hpp"

#include <optional>
#include <utility>

namespace coir::detail {

result_core::result_core() noexcept = default;

result_core::~result_core() {
    COIR_CHECK(waits_ == nullptr || made_in_.is_from_parent_process(),
               "future: destroyed while a fiber or thread waits for its result; stop and join it first");
}

void result_core::publish(std::exception_ptr failure) noexcept {
    parker* waits = nullptr;
    {
        const internal_lock_guard held{mutex_};
        failure_ = std::move(failure);
        state_.store(state::ready, std::memory_order_release);
        waits = std::exchange(waits_, nullptr);
    }
    if (waits != nullptr) waits->wake();
}

bool result_core::wait(const char* operation, const deadline& until) {
    if (is_ready()) return true;
    any_parker me{operation};
    {
        const internal_lock_guard held{mutex_};
        if (is_ready()) return true;
        if (waits_ != nullptr) {
            throw_misuse(std::errc::operation_not_permitted, operation,
                         "another fiber or thread already waits for the result");
        }
        waits_ = &me;
    }
    bool woken = false;
    try {
        woken = me.sleep(until);
    } catch (...) {
        if (take_out(me)) throw;
        me.sleep_until_woken();  // the result came first; the stop or expiry is thrown at the next suspension
        return true;
    }
    if (!woken && take_out(me)) return false;
    me.sleep_until_woken();
    return true;
}

/// Removes the waiter. Returns false if it was already removed, so that a wake is about to come.
bool result_core::take_out(parker& leaving) noexcept {
    const internal_lock_guard held{mutex_};
    if (waits_ != &leaving) return false;
    waits_ = nullptr;
    return true;
}

void result_core::wait_shielded(const char* operation) {
    std::optional<shield_scope> shield;
    if (scheduler::current() != nullptr) shield.emplace();
    static_cast<void>(wait(operation, never));
}

}  // namespace coir::detail
