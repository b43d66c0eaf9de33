#include "run/parent_watch.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace coir::detail {

namespace {

[[noreturn]] void outlive_parent(int lifeline) {
    ::pthread_setname_np(::pthread_self(), "coir-parent");
    char nothing = 0;
    while (::read(lifeline, &nothing, 1) < 0 && errno == EINTR) {}
    std::this_thread::sleep_for(orphan_lives_max);
    ::_exit(1);
}

}  // namespace

void watch_parent(int lifeline) {
    // Signals are for the other threads: a thread has the mask of the one that makes it.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    struct restore {
        ~restore() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
        const sigset_t& mask;
    } const at_end{before};
    std::thread{outlive_parent, lifeline}.detach();
}

}  // namespace coir::detail
