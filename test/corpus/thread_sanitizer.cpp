#if defined(__SANITIZE_THREAD__)

extern "C" const char* __tsan_default_suppressions();

/// GCC 12's runtime knows no pthread_mutex_clocklock(3), which std::timed_mutex is made of as well: it sees the
/// unlocking and not the locking.
extern "C" const char* __tsan_default_suppressions() {
    return "mutex:test/corpus/on_locks.cpp\n"
           "mutex:test/corpus/on_posix_locks.cpp\n";
}

#endif
