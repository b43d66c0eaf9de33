#pragma once

#include "contender.hpp"

#include <mutex>
#include <thread>

namespace bench {

/// Starts and ends a second thread: before, glibc locks without an atomic operation.
inline void become_multithreaded() {
    std::thread{[] {}}.join();
}

/// Locks and unlocks a std::mutex that no other thread holds, `args[0]` times.
inline void lock_and_unlock(arguments args) {
    std::mutex mutex;
    const double start = cpu_seconds();
    for (long i = 0; i < args[0]; ++i) {
        mutex.lock();
        keep_frame();
        mutex.unlock();
    }
    report("ns", (cpu_seconds() - start) * 1e9 / static_cast<double>(args[0]));
}

inline void std_mutex_pair(arguments args) {
    become_multithreaded();
    lock_and_unlock(args);
}

}  // namespace bench
