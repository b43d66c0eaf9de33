#if defined(__SANITIZE_THREAD__)

extern "C" const char* __tsan_default_suppressions();

/// The runtime of GCC 12 does not support pthread_mutex_clocklock(3), which std::timed_mutex uses too: it sees the
/// unlock but not the lock.
extern "C" const char* __tsan_default_suppressions() {
    return "mutex:test/corpus/on_locks.cpp\n"
           "mutex:test/corpus/on_posix_locks.cpp\n";
}

#endif
