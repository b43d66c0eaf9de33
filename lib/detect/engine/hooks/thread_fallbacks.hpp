#pragma once

#include <ctime>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

/// @file
/// Static fallbacks (static_fallbacks.hpp) of the functions of threads, and of their locks, in POSIX and C11.
namespace coir::detail::static_fallback {

int sem_wait(sem_t* semaphore);
int sem_timedwait(sem_t* semaphore, const timespec* until);
int pthread_join(pthread_t thread, void** result);
int pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until);
int pthread_mutex_lock(pthread_mutex_t* mutex);
int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until);
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until);
int pthread_rwlock_rdlock(pthread_rwlock_t* lock);
int pthread_rwlock_wrlock(pthread_rwlock_t* lock);
int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until);
int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* until);
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex);
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until);
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until);
int pthread_once(pthread_once_t* control, void (*function)());
int pthread_barrier_wait(pthread_barrier_t* barrier);
int mtx_lock(mtx_t* mutex);
int cnd_wait(cnd_t* condition, mtx_t* mutex);
int thrd_join(thrd_t thread, int* result);

}  // namespace coir::detail::static_fallback
