#include <coir/detail/base/scope_exit.hpp>
#include <coir/error.hpp>
#include <coir/sync/shared_mutex.hpp>

#include "core/misuse.hpp"
#include "sync/bind_owner.hpp"
#include "sync/lock_order.hpp"

namespace coir {

namespace {
constexpr const char* kind = "shared_mutex";  // for dumps and warnings
}

using detail::lock_order;
using detail::outcome;
using detail::scheduler;
using detail::task;
using detail::throw_misuse;

/// A fiber in the queue. When its wait is interrupted or times out, it stays in the queue until it runs and leaves, or
/// until `let_in` skips it or, after a time-out, lets it in. Its leaving calls `let_in`, since it may have been what kept
/// those behind it waiting.
struct shared_mutex::applicant : detail::list_hook {
    applicant(task& fiber, access how, task* const* writer) noexcept : waits{fiber, kind}, wanted{how} {
        waits.held_by = writer;
    }

    detail::waiter waits;
    access wanted;
    bool is_inside = false;  // the mutex was handed over
};

shared_mutex::~shared_mutex() {
    COIR_CHECK(applicants_.empty() || owner_.is_from_parent_process(),
               "shared_mutex: destroyed while fibers wait on it; stop and join them first");
    lock_order::destroyed(this);
}

// ---- acquire and hand over ---------------------------------------------------------------------------------------

bool shared_mutex::take(access wanted, const char* operation, deadline until) {
    if (!take_at_once(wanted, operation)) {
        lock_order::wanted(this, kind);
        if (!wait(wanted, operation, until)) return false;
    }
    lock_order::taken(this, kind);
    return true;
}

bool shared_mutex::try_to_take(access wanted, const char* operation) {
    if (!take_at_once(wanted, operation)) return false;
    lock_order::taken_by_try(this, kind);
    return true;
}

bool shared_mutex::take_at_once(access wanted, const char* operation) {
    // If the previous owner has ended, so have the holders and the fibers in the queue.
    const scheduler& here = detail::bind_owner(owner_, operation, [this]() noexcept {
        applicants_.forget();
        writer_ = nullptr;
        readers_ = 0;
    });
    if (!applicants_.empty() || !is_open_to(wanted)) return false;
    enter(wanted, here.running());
    return true;
}

bool shared_mutex::wait(access wanted, const char* operation, deadline until) {
    if (writer_ == &scheduler::get(operation).running()) {
        throw_misuse(std::errc::resource_deadlock_would_occur, operation,
                     "this fiber already holds the mutex exclusively");
    }
    scheduler& here = scheduler::enter(operation);
    applicant me{here.running(), wanted, &writer_};
    applicants_.push_back(me);
    const detail::scope_exit at_end{[this, &me] {
        if (!me.is_linked()) return;  // let_in() has removed it; the mutex may already be destroyed
        me.unlink();
        let_in();
    }};
    here.park(me.waits, until);
    return me.is_inside;
}

bool shared_mutex::is_open_to(access wanted) const noexcept {
    return writer_ == nullptr && (wanted == access::shared || readers_ == 0);
}

void shared_mutex::enter(access wanted, task& fiber) noexcept {
    if (wanted == access::shared)
        ++readers_;
    else
        writer_ = &fiber;
}

/// Hands the mutex over to the first fiber in the queue, and to the fibers behind it that can share it with the first.
void shared_mutex::let_in() noexcept {
    while (applicant* const first = applicants_.front()) {
        const outcome so_far = first->waits.result;
        const bool is_open = is_open_to(first->wanted);
        if (so_far == outcome::waiting && !is_open) return;
        first->unlink();
        if (so_far == outcome::interrupted || !is_open) continue;
        first->is_inside = true;
        enter(first->wanted, first->waits.self);
        first->waits.wake(outcome::woken);
    }
}

// ---- the interface of the standard -------------------------------------------------------------------------------

void shared_mutex::lock(deadline until) {
    if (!take(access::alone, "shared_mutex::lock", until)) throw timed_out{"shared_mutex::lock"};
}

bool shared_mutex::try_lock() { return try_to_take(access::alone, "shared_mutex::try_lock"); }

bool shared_mutex::try_lock_until(deadline until) { return take(access::alone, "shared_mutex::try_lock_until", until); }

void shared_mutex::lock_shared(deadline until) {
    if (!take(access::shared, "shared_mutex::lock_shared", until)) throw timed_out{"shared_mutex::lock_shared"};
}

bool shared_mutex::try_lock_shared() { return try_to_take(access::shared, "shared_mutex::try_lock_shared"); }

bool shared_mutex::try_lock_shared_until(deadline until) {
    return take(access::shared, "shared_mutex::try_lock_shared_until", until);
}

void shared_mutex::unlock() {
    const scheduler* const here = detail::bind_owner_to_release(owner_, "shared_mutex::unlock");
    if (here == nullptr) [[unlikely]]
        return;
    if (writer_ != &here->running()) {
        throw_misuse(std::errc::operation_not_permitted,
                     "shared_mutex::unlock: this fiber does not hold the mutex exclusively");
    }
    writer_ = nullptr;
    lock_order::given_back(this);
    let_in();
}

void shared_mutex::unlock_shared() {
    if (scheduler::current() == nullptr && owner_.is_from_parent_process()) [[unlikely]]
        return;
    owner_.bind_owner("shared_mutex::unlock_shared");
    if (readers_ == 0) {
        throw_misuse(std::errc::operation_not_permitted,
                     "shared_mutex::unlock_shared: no fiber holds the mutex in shared mode");
    }
    --readers_;
    lock_order::given_back(this);
    let_in();
}

}  // namespace coir
