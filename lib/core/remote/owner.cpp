#include <coir/detail/core/owner.hpp>
#include <coir/error.hpp>

#include "core/remote/running_schedulers.hpp"
#include "core/scheduler.hpp"

#include <string>

namespace coir::detail {

namespace {

constexpr const char* remedy = "use coir::concurrent_channel, or post to that scheduler (scheduler_ref)";

}  // namespace

bool owner::bind_owner(const scheduler& here, const char* operation) {
    // Relaxed suffices for a plain number. If two threads find that the owner has ended, one of them takes the object
    // and the other one throws.
    std::uint64_t known = serial_.load(std::memory_order_relaxed);
    if (known == here.serial()) [[likely]]
        return false;
    if (known == 0 || !running_schedulers::contain(known)) {
        if (serial_.compare_exchange_strong(known, here.serial(), std::memory_order_relaxed)) return true;
    }
    throw wrong_scheduler{std::string{operation} + ": the object belongs to the scheduler of another thread; " +
                          remedy};
}

bool owner::bind_owner(const char* operation) {
    const scheduler* const here = scheduler::current();
    if (here != nullptr) return bind_owner(*here, operation);
    if (is_from_parent_process()) return true;
    throw_without_scheduler(operation);
}

void owner::throw_without_scheduler(const char* operation) const {
    throw wrong_scheduler{std::string{operation} + ": the object belongs to a scheduler, and this thread runs none; " +
                          remedy};
}

bool owner::is_from_parent_process() const noexcept {
    const std::uint64_t known = serial_.load(std::memory_order_relaxed);
    return known != 0 && running_schedulers::is_from_parent_process(known);
}

bool owner::is_elsewhere() const noexcept {
    const std::uint64_t known = serial_.load(std::memory_order_relaxed);
    const scheduler* const here = scheduler::current();
    return known != 0 && (here == nullptr || here->serial() != known) && running_schedulers::contain(known);
}

}  // namespace coir::detail
