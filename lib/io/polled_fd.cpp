#include "io/polled_fd.hpp"

#include <coir/detail/base/scope_exit.hpp>

#include "base/check.hpp"
#include "base/sys.hpp"

#include <utility>

namespace coir::detail {

// ---- calls -------------------------------------------------------------------------------------------------------

std::error_code polled_fd::admit(scheduler& here, const char* operation) {
    if (fd_ < 0) return std::make_error_code(std::errc::bad_file_descriptor);
    if (owner_.belongs_to(here.serial())) [[likely]]
        return {};
    forget_calls_of_parent_process();
    owner_.bind_owner(here, operation);
    try {
        is_shared() ? here.reactor().add_shared(fd_) : here.reactor().add(fd_);
    } catch (const std::system_error& refused) {
        owner_ = {};
        return refused.code();
    } catch (...) {
        owner_ = {};
        throw;
    }
    return {};
}

std::error_code polled_fd::wait(direction towards, const deadline& until, const char* operation) {
    // A stop may have come since the call began: while the fiber yielded, or between a wake and its next attempt.
    scheduler& here = scheduler::enter(operation);
    waiter me{here.running(), towards == direction::read ? "input from descriptor" : "output to descriptor"};
    me.descriptor = fd_;
    if (is_shared()) [[unlikely]]
        return wait_shared(here, me, until);
    try {
        here.reactor().prepare(fd_, me, towards);
    } catch (const std::system_error& refused) {
        return refused.code();
    }
    const pending_call inside{*this, towards};
    const std::error_code ended = park_on_descriptor(here, me, until);
    // The descriptor may have been closed even after it became ready, before this fiber ran.
    if (fd_ < 0) return std::make_error_code(std::errc::operation_canceled);
    if (me.result == outcome::timed_out && is_ready_now(fd_, towards)) here.reactor()[fd_].ready(towards) = true;
    return ended;
}

/// Always waits for input, since only listening sockets are shared.
std::error_code polled_fd::wait_shared(scheduler& here, waiter& me, const deadline& until) {
    try {
        here.reactor().prepare_shared(fd_, me);
    } catch (const std::system_error& refused) {
        return refused.code();
    }
    const pending_call inside{*this, direction::read};
    // If closed, the number may belong to another file now. If interrupted, the descriptor is not registered any more.
    const scope_exit at_end{[&] {
        if (fd_ >= 0 && owner_.belongs_to(here.serial())) here.reactor().finish_shared(fd_);
    }};
    const std::error_code ended = park_on_descriptor(here, me, until);
    return fd_ < 0 ? std::make_error_code(std::errc::operation_canceled) : ended;
}

std::error_code polled_fd::yield(scheduler& here, direction towards) {
    const pending_call inside{*this, towards};
    here.yield();
    return fd_ < 0 ? std::make_error_code(std::errc::operation_canceled) : std::error_code{};
}

bool polled_fd::is_busy(direction towards, std::error_code& ec) const noexcept {
    if (pending_calls_[static_cast<int>(towards)] == 0) [[likely]]
        return false;
    if (is_from_parent_process()) return false;
    ec = std::make_error_code(std::errc::operation_in_progress);
    return true;
}

// ---- life --------------------------------------------------------------------------------------------------------

polled_fd::polled_fd(polled_fd&& other) noexcept { *this = std::move(other); }

polled_fd& polled_fd::operator=(polled_fd&& other) noexcept {
    if (this == &other) return *this;
    other.check_no_pending_call();
    check_no_pending_call();
    close();
    owner_ = std::exchange(other.owner_, {});
    fd_ = std::exchange(other.fd_, -1);
    with_ = other.with_;
    return *this;
}

polled_fd::~polled_fd() {
    check_no_pending_call();
    close();
}

void polled_fd::check_no_pending_call() noexcept {
    if (pending_calls_[0] + pending_calls_[1] == 0) [[likely]]
        return;
    forget_calls_of_parent_process();
    COIR_CHECK(pending_calls_[0] + pending_calls_[1] == 0,
               "stream or socket: destroyed or moved while a fiber is suspended in one of its calls; "
               "call close() and join the fiber first");
}

void polled_fd::forget_calls_of_parent_process() noexcept {
    if (is_from_parent_process()) pending_calls_[0] = pending_calls_[1] = 0;
}

void polled_fd::close() noexcept {
    if (fd_ >= 0) sys::close(release());
}

int polled_fd::release() noexcept {
    if (fd_ >= 0) {
        COIR_CHECK(!owner_.is_elsewhere(),
                   "stream or socket: closed or released on another thread than the one that runs its scheduler");
        forget_calls_of_parent_process();
        scheduler* const here = scheduler::current();
        if (here != nullptr && owner_.belongs_to(here->serial())) here->reactor().remove(fd_);
        owner_ = {};
    }
    return std::exchange(fd_, -1);
}

std::error_code park_on_descriptor(scheduler& here, waiter& me, const deadline& until) {
    here.reactor().count_waiter();
    const scope_exit at_end{[&here] { here.reactor().discount_waiter(); }};
    if (here.park(me, until) == outcome::closed) return std::make_error_code(std::errc::operation_canceled);
    return {};
}

}  // namespace coir::detail
