#pragma once

#include "base/sys.hpp"

#include <mutex>

namespace coir::log {

/// Guards the state of the log, for a few instructions at a time: neither the program's functions nor a write(2) run
/// while it is locked. fork(2) waits for it (log.cpp), so no child finds it locked by a thread that it does not have.
/// Waiting is done by coir's own system calls: the detector would report a fiber that waits in std::mutex::lock.
class log_mutex {
public:
    void lock() noexcept {
        while (!mutex_.try_lock()) detail::sys::nap();
    }
    void unlock() noexcept { mutex_.unlock(); }

private:
    std::mutex mutex_;
};

/// Hidden: each shared library with a coir of its own has one, which its own handlers lock at a fork.
extern constinit log_mutex mutex __attribute__((visibility("hidden")));

}  // namespace coir::log
