#pragma once

#include <ctime>
#include <signal.h>

namespace coir::detail {

/// Blocks SIGPIPE in the calling thread: write(2), splice(2), sendfile(2) and OpenSSL raise it and have no
/// MSG_NOSIGNAL. A SIGPIPE that became pending during the lifetime of this object was caused by the library; the
/// destructor discards it before it unblocks the signal.
class sigpipe_blocked {
public:
    sigpipe_blocked() noexcept {
        ::sigemptyset(&only_sigpipe_);
        ::sigaddset(&only_sigpipe_, SIGPIPE);
        sigset_t pending;
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &only_sigpipe_, &before_);
    }
    ~sigpipe_blocked() {
        const timespec at_once{};
        if (!was_pending_) {
            while (::sigtimedwait(&only_sigpipe_, nullptr, &at_once) == SIGPIPE) {
            }
        }
        // Other signals stay as the program has blocked them meanwhile.
        if (::sigismember(&before_, SIGPIPE) == 0) ::pthread_sigmask(SIG_UNBLOCK, &only_sigpipe_, nullptr);
    }
    sigpipe_blocked(const sigpipe_blocked&) = delete;
    sigpipe_blocked& operator=(const sigpipe_blocked&) = delete;

private:
    sigset_t only_sigpipe_;
    sigset_t before_;
    bool was_pending_ = false;
};

}  // namespace coir::detail
