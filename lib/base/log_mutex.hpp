#pragma once

#include "base/sys.hpp"

#include <mutex>

namespace coir::log {

/// Guards the state of the log, for a few instructions at a time: no function of the program and no write(2) runs while
/// it is locked. A handler of fork(2) locks it (log.cpp), so that in a child it is never held by a thread that does not
/// exist there. Waiting uses coir's own system calls: the detector would report a fiber that waits in std::mutex::lock.
class log_mutex {
public:
    void lock() noexcept {
        while (!mutex_.try_lock()) detail::sys::nap();
    }
    void unlock() noexcept { mutex_.unlock(); }

private:
    std::mutex mutex_;
};

/// Hidden: each shared library with its own copy of coir has its own mutex and its own handlers that lock it at a fork.
extern constinit log_mutex mutex __attribute__((visibility("hidden")));

}  // namespace coir::log
