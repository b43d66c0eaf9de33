#pragma once

#include <initializer_list>
#include <pthread.h>
#include <signal.h>

namespace coir::detail {

/// Blocks signals in the calling thread while the library creates a thread, which inherits the mask
/// (pthread_create(3)): signals are for the program's own threads. Signals that a fault raises stay unblocked, because
/// otherwise no crash handler could run.
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&all, fault);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_;
};

}  // namespace coir::detail
