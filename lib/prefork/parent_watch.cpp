#include "prefork/parent_watch.hpp"

#include "base/clone_refusal.hpp"
#include "base/signals_blocked.hpp"

#include <cerrno>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace coir::detail {

namespace {

[[noreturn]] void exit_after_parent(int lifeline) {
    ::pthread_setname_np(::pthread_self(), "coir-parent");
    char unused = 0;
    while (::read(lifeline, &unused, 1) < 0 && errno == EINTR) {
    }
    std::this_thread::sleep_for(orphan_lives_max);
    ::_exit(1);
}

}  // namespace

void watch_parent(int lifeline) {
    const signals_blocked inherited;
    try {
        std::thread{exit_after_parent, lifeline}.detach();
    } catch (const std::system_error& refused) {
        throw std::system_error{refused.code(), "prefork: cannot start the thread that watches the parent process" +
                                                    clone_refusal(refused.code().value())};
    }
}

}  // namespace coir::detail
