#include "detect/engine/hooks/lock_hooks.hpp"

#include "base/sanitizers.hpp"

// The interceptors of these sanitizers follow each lock, and have to be the first that see it.
#if defined(COIR_ASAN) || defined(COIR_TSAN)

namespace coir::detail {

std::string locks_without_hooks() { return "locks have no hooks, because the program has a sanitizer"; }

}  // namespace coir::detail

#else

#include "core/loop/scheduler_status.hpp"
#include "detect/engine/hooks/thread_fallbacks.hpp"
#include "detect/engine/hooks/watched_function.hpp"

#include <ctime>
#include <pthread.h>
#include <sched.h>
#include <threads.h>
#include <type_traits>

// A lock is tried first, and only the wait for one that is taken is observed: most locks are free, and a free one must
// not cost more than a few instructions.
//
// pthread_rwlock_timedrdlock, pthread_rwlock_timedwrlock, mtx_timedlock and cnd_timedwait have no hooks: the static
// fallbacks of the others need them.

namespace coir::detail {

std::string locks_without_hooks() { return {}; }

namespace {

using category = blocking_class;

constexpr call_model of_lock = may_sleep(category::lock);

/// Locks a mutex before the constructors of the program have run. An allocator may lock its own mutex that early, and
/// must not be called back by a look-up of the next function. There is hardly another thread then.
int lock_early(pthread_mutex_t* mutex) {
    int error = EBUSY;
    while ((error = ::pthread_mutex_trylock(mutex)) == EBUSY) ::sched_yield();
    return error;
}

// Each returns EBUSY if the lock is taken, else what the function that waits would return.
int try_mutex(pthread_mutex_t* lock) noexcept { return ::pthread_mutex_trylock(lock); }
int try_to_read(pthread_rwlock_t* lock) noexcept { return ::pthread_rwlock_tryrdlock(lock); }
int try_to_write(pthread_rwlock_t* lock) noexcept { return ::pthread_rwlock_trywrlock(lock); }
int try_c11_mutex(mtx_t* lock) noexcept {
    const int result = ::mtx_trylock(lock);
    return result == thrd_busy ? EBUSY : result;
}
static_assert(thrd_success != EBUSY && thrd_error != EBUSY);

/// Whether a fiber of this thread holds the lock, as far as glibc tells.
template <class Lock> bool is_held_by(const scheduler_status& thread, const Lock* lock) noexcept {
    if constexpr (std::is_same_v<Lock, pthread_mutex_t>) return lock->__data.__owner == thread.tid;
    return false;
}

// Whether a wait with these arguments behind the lock has a time limit that has passed.
bool has_no_time() noexcept { return false; }
bool has_no_time(const timespec* until) noexcept { return is_over(CLOCK_REALTIME, until); }
bool has_no_time(clockid_t clock, const timespec* until) noexcept { return is_over(clock, until); }

/// The clock of a condition variable, in the words of glibc.
clockid_t clock_of(const pthread_cond_t* condition) noexcept {
    return (condition->__data.__wrefs & 2U) != 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

call_model of_wait_until(clockid_t clock, const timespec* until) noexcept {
    return may_sleep_if(!is_over(clock, until), category::lock);
}

/// Waits for a lock that is taken. Not inlined: the hook itself stays short.
template <class Next, class Lock, class... Limits>
[[gnu::noinline]] int wait_for(Next& next, const void* site, Lock* lock, Limits... limits) {
    monitor* const active = monitor::active(blocking_engine::hooks, blocking_engine::hooks);
    if (active == nullptr || !active->wants(category::lock) || has_no_time(limits...) || is_in_vfork_child(*active))
        return next(lock, limits...);
    // Another thread can have unlocked it meanwhile: without a sleep there was no wait.
    const watched_call call{*active, next.reported_name(), if_slept(of_lock), site};
    active->call().waits_for_itself = is_held_by(active->thread(), lock);
    return next(lock, limits...);
}

template <auto Try, class Next, class Lock, class... Limits>
[[gnu::always_inline]] inline int locked(Next& next, Lock* lock, Limits... limits) {
    using never_throws = int (*)(Lock*, Limits...) noexcept;  // so that the call can be a jump
    if (monitor::current() == nullptr) [[likely]]
        return reinterpret_cast<never_throws>(next.get())(lock, limits...);
    const int error = Try(lock);
    return error != EBUSY ? error : wait_for(next, __builtin_return_address(0), lock, limits...);
}

/// Whether another thread runs the function of this pthread_once(3), in the words of glibc.
bool is_in_progress(const pthread_once_t* control) noexcept {
    return (__atomic_load_n(control, __ATOMIC_ACQUIRE) & 3) == 1;
}

}  // namespace

}  // namespace coir::detail

using namespace coir::detail;

// ---- mutexes -------------------------------------------------------------------------------------------------------

COIR_HOOK int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    COIR_NEXT next{"pthread_mutex_lock", static_fallback::pthread_mutex_lock, lock_early};
    return locked<try_mutex>(next, mutex);
}

COIR_HOOK int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept {
    COIR_NEXT next{"pthread_mutex_timedlock", static_fallback::pthread_mutex_timedlock};
    return locked<try_mutex>(next, mutex, until);
}

COIR_HOOK int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept {
    COIR_NEXT next{"pthread_mutex_clocklock", static_fallback::pthread_mutex_clocklock};
    return locked<try_mutex>(next, mutex, clock, until);
}

// ---- read-write locks ----------------------------------------------------------------------------------------------

COIR_HOOK int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
    COIR_NEXT next{"pthread_rwlock_rdlock", static_fallback::pthread_rwlock_rdlock};
    return locked<try_to_read>(next, lock);
}

COIR_HOOK int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
    COIR_NEXT next{"pthread_rwlock_wrlock", static_fallback::pthread_rwlock_wrlock};
    return locked<try_to_write>(next, lock);
}

COIR_HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) noexcept {
    COIR_NEXT next{"pthread_rwlock_clockrdlock", static_fallback::pthread_rwlock_clockrdlock};
    return locked<try_to_read>(next, lock, clock, until);
}

COIR_HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until) noexcept {
    COIR_NEXT next{"pthread_rwlock_clockwrlock", static_fallback::pthread_rwlock_clockwrlock};
    return locked<try_to_write>(next, lock, clock, until);
}

// ---- waits for other threads ---------------------------------------------------------------------------------------

COIR_HOOK int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
    COIR_NEXT next{"pthread_cond_wait", static_fallback::pthread_cond_wait, "GLIBC_2.3.2"};
    return watched(next, [] { return of_lock; })(condition, mutex);
}

COIR_HOOK int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    COIR_NEXT next{"pthread_cond_timedwait", static_fallback::pthread_cond_timedwait, "GLIBC_2.3.2"};
    return watched(next, [&] { return of_wait_until(clock_of(condition), until); })(condition, mutex, until);
}

COIR_HOOK int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                     const timespec* until) {
    COIR_NEXT next{"pthread_cond_clockwait", static_fallback::pthread_cond_clockwait};
    return watched(next, [&] { return of_wait_until(clock, until); })(condition, mutex, clock, until);
}

COIR_HOOK int pthread_barrier_wait(pthread_barrier_t* barrier) noexcept {
    COIR_NEXT next{"pthread_barrier_wait", static_fallback::pthread_barrier_wait};
    return watched(next, [] { return if_slept(of_lock); })(barrier);
}

/// The calls of the function that this thread runs are observed one by one.
COIR_HOOK int pthread_once(pthread_once_t* control, void (*function)()) {
    COIR_NEXT next{"pthread_once", static_fallback::pthread_once};
    return watched(next, [&] { return is_in_progress(control) ? if_slept(of_lock) : never_sleeps; })(control, function);
}

// ---- C11 -----------------------------------------------------------------------------------------------------------

COIR_HOOK int mtx_lock(mtx_t* mutex) {
    COIR_NEXT next{"mtx_lock", static_fallback::mtx_lock};
    return locked<try_c11_mutex>(next, mutex);
}

COIR_HOOK int cnd_wait(cnd_t* condition, mtx_t* mutex) {
    COIR_NEXT next{"cnd_wait", static_fallback::cnd_wait};
    return watched(next, [] { return of_lock; })(condition, mutex);
}

#endif
