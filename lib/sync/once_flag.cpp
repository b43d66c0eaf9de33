#include <coir/error.hpp>
#include <coir/sync/once_flag.hpp>

#include "core/misuse.hpp"
#include "sync/bind_owner.hpp"

namespace coir {

bool once_flag::begin() {
    // If the previous owner has ended, so has the fiber that was making the call.
    const detail::scheduler& here = detail::bind_owner(waiters_, "call_once", [this]() noexcept { caller_ = nullptr; });
    if (done_) return false;
    if (caller_ == &here.running()) {
        detail::throw_misuse(std::errc::resource_deadlock_would_occur,
                             "call_once: the function calls call_once again with the same flag");
    }
    // When woken, either the call has succeeded, or it has failed and fail() has made this fiber the caller.
    if (caller_ != nullptr) return waiters_.wait("call_once", never, &caller_) && !done_;
    caller_ = &here.running();
    return true;
}

void once_flag::end() noexcept {
    done_ = true;
    caller_ = nullptr;
    waiters_.wake_all();
}

void once_flag::fail() noexcept { caller_ = waiters_.wake_one(); }

}  // namespace coir
