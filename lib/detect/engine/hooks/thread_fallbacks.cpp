#include "detect/engine/hooks/thread_fallbacks.hpp"

#include "detect/engine/hooks/static_fallbacks.hpp"

#include <cerrno>
#include <climits>
#include <cstdint>
#include <limits>
#include <linux/futex.h>
#include <sys/syscall.h>

extern "C" {
// Other names of hooked functions, which exist only inside a static program. References to `mtx_timedlock`, `cnd_timedwait`
// and `call_once` bring the object files with them into it.
[[gnu::weak]] int __pthread_mutex_lock(pthread_mutex_t* mutex) noexcept;
[[gnu::weak]] int __pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept;
[[gnu::weak]] int __pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept;
[[gnu::weak]] int __pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex);
[[gnu::weak]] int __pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until);
[[gnu::weak]] int __pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                           const timespec* until);
[[gnu::weak]] int __pthread_once(pthread_once_t* control, void (*function)());
}

namespace coir::detail::static_fallback {

namespace {

[[gnu::used]] int (*const neighbour_of_timedlock)(mtx_t*, const timespec*) = ::mtx_timedlock;
[[gnu::used]] int (*const neighbour_of_cond_wait)(cnd_t*, mtx_t*, const timespec*) = ::cnd_timedwait;
[[gnu::used]] void (*const neighbour_of_once)(once_flag*, void (*)()) = ::call_once;

constexpr timespec never{std::numeric_limits<time_t>::max(), 0};

/// The moment `until` of `clock`, in CLOCK_REALTIME.
timespec in_real_time(clockid_t clock, timespec until) noexcept {
    if (clock == CLOCK_REALTIME) return until;
    constexpr long second = 1'000'000'000;
    timespec now{};
    timespec real{};
    ::clock_gettime(clock, &now);
    ::clock_gettime(CLOCK_REALTIME, &real);
    until.tv_sec += real.tv_sec - now.tv_sec;
    until.tv_nsec += real.tv_nsec - now.tv_nsec;
    if (until.tv_nsec < 0) until.tv_nsec += second, --until.tv_sec;
    if (until.tv_nsec >= second) until.tv_nsec -= second, ++until.tv_sec;
    return until;
}

/// glibc's C11 objects are those of POSIX under another name.
int as_c11(int error) noexcept {
    switch (error) {
    case 0: return thrd_success;
    case ENOMEM: return thrd_nomem;
    default: return thrd_error;
    }
}

pthread_mutex_t* as_posix(mtx_t* mutex) noexcept { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* as_posix(cnd_t* condition) noexcept { return reinterpret_cast<pthread_cond_t*>(condition); }

}  // namespace

int sem_wait(sem_t* semaphore) { return ::sem_clockwait(semaphore, CLOCK_MONOTONIC, &never); }

int sem_timedwait(sem_t* semaphore, const timespec* until) { return ::sem_clockwait(semaphore, CLOCK_REALTIME, until); }

int pthread_join(pthread_t thread, void** result) {
    return static_fallback::pthread_timedjoin_np(thread, result, nullptr);
}

int pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until) {
    return ::pthread_clockjoin_np(thread, result, CLOCK_REALTIME, until);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) { return ::__pthread_mutex_lock(mutex); }

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) {
    return ::__pthread_mutex_timedlock(mutex, until);
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
    return ::__pthread_mutex_clocklock(mutex, clock, until);
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) { return ::pthread_rwlock_timedrdlock(lock, &never); }

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) { return ::pthread_rwlock_timedwrlock(lock, &never); }

int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) {
    const timespec real = in_real_time(clock, *until);
    return ::pthread_rwlock_timedrdlock(lock, &real);
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) {
    const timespec real = in_real_time(clock, *until);
    return ::pthread_rwlock_timedwrlock(lock, &real);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
    return ::__pthread_cond_wait(condition, mutex);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    return ::__pthread_cond_timedwait(condition, mutex, until);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
    return ::__pthread_cond_clockwait(condition, mutex, clock, until);
}

int pthread_once(pthread_once_t* control, void (*function)()) { return ::__pthread_once(control, function); }

/// The algorithm of glibc, on its object: pthread_barrier_wait has no other name that a static program would contain.
int pthread_barrier_wait(pthread_barrier_t* barrier) {
    struct fields {
        unsigned in;             // threads that have entered
        unsigned current_round;  // how many of them may leave
        unsigned count;
        int shared;    // 0: private, 128: shared between processes, as in the flag of futex(2)
        unsigned out;  // threads that have left
    };
    static_assert(sizeof(fields) <= sizeof(pthread_barrier_t));
    auto& bar = reinterpret_cast<fields&>(*barrier);
    const long flag = bar.shared == 0 ? FUTEX_PRIVATE_FLAG : 0;
    const unsigned count = bar.count;
    const unsigned last_in = UINT_MAX / 2 - UINT_MAX / 2 % count;  // then all fields begin at 0 again
    for (;;) {
        const unsigned mine = __atomic_add_fetch(&bar.in, 1, __ATOMIC_ACQ_REL);
        if (mine > last_in) {  // until the threads before have left
            for (unsigned now = mine; now > last_in; now = __atomic_load_n(&bar.in, __ATOMIC_RELAXED))
                kernel<int>(SYS_futex, &bar.in, FUTEX_WAIT | flag, now, nullptr);
            continue;
        }
        unsigned round = __atomic_load_n(&bar.current_round, __ATOMIC_ACQUIRE);
        while (round + count <= mine) {
            const unsigned complete = mine - mine % count;
            if (!__atomic_compare_exchange_n(&bar.current_round, &round, complete, true, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE))
                continue;
            kernel<int>(SYS_futex, &bar.current_round, FUTEX_WAKE | flag, INT_MAX);
            round = complete;
        }
        while (mine > round) {
            kernel<int>(SYS_futex, &bar.current_round, FUTEX_WAIT | flag, round, nullptr);
            round = __atomic_load_n(&bar.current_round, __ATOMIC_ACQUIRE);
        }
        const bool is_last = __atomic_add_fetch(&bar.out, 1, __ATOMIC_ACQ_REL) == last_in;
        if (is_last) {
            __atomic_store_n(&bar.current_round, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&bar.out, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&bar.in, 0, __ATOMIC_RELEASE);
            kernel<int>(SYS_futex, &bar.in, FUTEX_WAKE | flag, INT_MAX);
        }
        return mine % count == 0 ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
    }
}

int mtx_lock(mtx_t* mutex) { return as_c11(static_fallback::pthread_mutex_lock(as_posix(mutex))); }

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
    return as_c11(static_fallback::pthread_cond_wait(as_posix(condition), as_posix(mutex)));
}

int thrd_join(thrd_t thread, int* result) {
    void* returned = nullptr;
    const int error = pthread_join(thread, &returned);
    if (result != nullptr) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
    return as_c11(error);
}

}  // namespace coir::detail::static_fallback
