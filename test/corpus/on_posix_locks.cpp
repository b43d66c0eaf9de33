#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto of_lock = blocking_class::lock;

timespec soon(clockid_t clock = CLOCK_REALTIME) {
    timespec now{};
    ::clock_gettime(clock, &now);
    now.tv_nsec += 40'000'000;
    if (now.tv_nsec >= 1'000'000'000) {
        now.tv_nsec -= 1'000'000'000;
        ++now.tv_sec;
    }
    return now;
}

struct mutex_of_kind {
    template <class Set> explicit mutex_of_kind(Set set) {
        pthread_mutexattr_t kind;
        ::pthread_mutexattr_init(&kind);
        set(&kind);
        ::pthread_mutex_init(&mutex, &kind);
        ::pthread_mutexattr_destroy(&kind);
    }
    ~mutex_of_kind() { ::pthread_mutex_destroy(&mutex); }

    pthread_mutex_t mutex;
};

/// A mutex of this kind that another thread holds until the fiber has waited.
template <class Set> pthread_mutex_t* taken(stage& on, Set set) {
    pthread_mutex_t* const mutex = &on.keep<mutex_of_kind>(set).mutex;
    on.elsewhere([mutex] { ::pthread_mutex_lock(mutex); }, [mutex] { ::pthread_mutex_unlock(mutex); });
    return mutex;
}

void plain(pthread_mutexattr_t*) {}

auto lock_and_unlock(pthread_mutex_t* mutex) {
    return [mutex] {
        ::pthread_mutex_lock(mutex);
        ::pthread_mutex_unlock(mutex);
    };
}

struct rwlock {
    ~rwlock() { ::pthread_rwlock_destroy(&lock); }
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
};

struct semaphore {
    explicit semaphore(unsigned permits) { ::sem_init(&it, 0, permits); }
    ~semaphore() { ::sem_destroy(&it); }
    sem_t it;
};

struct message_queue {
    message_queue() {
        const std::string name = "/coir-corpus-" + std::to_string(::getpid());
        mq_attr limits{};
        limits.mq_maxmsg = 1;
        limits.mq_msgsize = 8;
        fd = must(::mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &limits));
        ::mq_unlink(name.c_str());
    }
    ~message_queue() { ::mq_close(fd); }
    mqd_t fd;
};

/// A System V object; the destructor removes it.
struct mailbox {
    ~mailbox() { ::msgctl(id, IPC_RMID, nullptr); }
    int id = must(::msgget(IPC_PRIVATE, 0600));
};

struct message {
    long kind = 1;
    std::array<char, 4096> text{};
};

struct semaphore_set {
    ~semaphore_set() { ::semctl(id, 0, IPC_RMID); }
    int id = must(::semget(IPC_PRIVATE, 1, 0600));
};

struct two_openings {
    two_openings()
        : first{must(::open(place.file("it").c_str(), O_CREAT | O_RDWR, 0600))}, second{must(
                                                                                     ::open(place.file("it").c_str(),
                                                                                            O_RDWR))} {}
    folder place;
    unique_fd first;
    unique_fd second;
};

struct flock whole_file() {
    struct flock asked {};
    asked.l_type = F_WRLCK;
    return asked;
}

/// Another process locks the file, and ends after the fiber has waited. Returns the fiber's descriptor.
int locked_by_a_process(stage& on) {
    auto& file = on.keep<two_openings>();
    auto& told = on.keep<two_ends>(pipe_to_read());
    const pid_t holder = must(::fork());
    if (holder == 0) {
        ::alarm(60);
        struct flock lock = whole_file();
        must(::fcntl(file.first.get(), F_SETLKW, &lock));
        put(told.theirs.get());
        for (;;) ::pause();
    }
    char byte = 0;
    must(static_cast<int>(::read(told.ours.get(), &byte, 1)));
    on.finally([holder] { ::waitpid(holder, nullptr, 0); });
    on.later([holder] { ::kill(holder, SIGKILL); });
    return file.second.get();
}

}  // namespace

table on_posix_locks() {
    table all{
        blocked("pthread_mutex_lock", of_lock, {"futex"}, [](stage& on) { return lock_and_unlock(taken(on, plain)); }),
        blocked("pthread_mutex_lock of one that inherits priority", of_lock, {"futex"},
                [](stage& on) {
                    return lock_and_unlock(taken(on, [](pthread_mutexattr_t* kind) {
                        ::pthread_mutexattr_setprotocol(kind, PTHREAD_PRIO_INHERIT);
                    }));
                }),
        blocked("pthread_mutex_lock of a robust one", of_lock, {"futex"},
                [](stage& on) {
                    return lock_and_unlock(taken(on, [](pthread_mutexattr_t* kind) {
                        ::pthread_mutexattr_setrobust(kind, PTHREAD_MUTEX_ROBUST);
                    }));
                }),
        blocked("pthread_mutex_timedlock", of_lock, {"futex"},
                [](stage& on) {
                    return [mutex = taken(on, plain)] {
                        const timespec until = soon();
                        if (::pthread_mutex_timedlock(mutex, &until) == 0) ::pthread_mutex_unlock(mutex);
                    };
                }),
        blocked("pthread_mutex_clocklock", of_lock, {"futex"},
                [](stage& on) {
                    return [mutex = taken(on, plain)] {
                        const timespec until = soon(CLOCK_MONOTONIC);
                        if (::pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until) == 0)
                            ::pthread_mutex_unlock(mutex);
                    };
                }),
        blocked("mtx_lock", of_lock, {"futex"},
                [](stage& on) {
                    auto& mutex = on.keep<mtx_t>();
                    ::mtx_init(&mutex, mtx_plain);
                    on.elsewhere([&] { ::mtx_lock(&mutex); }, [&] { ::mtx_unlock(&mutex); });
                    return [&] {
                        ::mtx_lock(&mutex);
                        ::mtx_unlock(&mutex);
                    };
                }),
        blocked_often("pthread_cond_timedwait", of_lock, {"futex"},
                      [](stage& on) {
                          auto& mutex = on.keep<pthread_mutex_t>(pthread_mutex_t(PTHREAD_MUTEX_INITIALIZER));
                          auto& condition = on.keep<pthread_cond_t>(pthread_cond_t(PTHREAD_COND_INITIALIZER));
                          return [&] {
                              const timespec until = soon();
                              ::pthread_mutex_lock(&mutex);
                              ::pthread_cond_timedwait(&condition, &mutex, &until);
                              ::pthread_mutex_unlock(&mutex);
                          };
                      }),
        blocked("pthread_rwlock_rdlock", of_lock, {"futex"},
                [](stage& on) {
                    auto* const it = &on.keep<rwlock>().lock;
                    on.elsewhere([it] { ::pthread_rwlock_wrlock(it); }, [it] { ::pthread_rwlock_unlock(it); });
                    return [it] {
                        ::pthread_rwlock_rdlock(it);
                        ::pthread_rwlock_unlock(it);
                    };
                }),
        blocked("pthread_rwlock_wrlock", of_lock, {"futex"},
                [](stage& on) {
                    auto* const it = &on.keep<rwlock>().lock;
                    on.elsewhere([it] { ::pthread_rwlock_rdlock(it); }, [it] { ::pthread_rwlock_unlock(it); });
                    return [it] {
                        ::pthread_rwlock_wrlock(it);
                        ::pthread_rwlock_unlock(it);
                    };
                }),
        blocked("pthread_barrier_wait", of_lock, {"pthread_barrier_wait", "futex"},
                [](stage& on) {
                    auto& barrier = on.keep<pthread_barrier_t>();
                    ::pthread_barrier_init(&barrier, nullptr, 2);
                    on.later([&] { ::pthread_barrier_wait(&barrier); });
                    return [&] { ::pthread_barrier_wait(&barrier); };
                }),
        blocked("sem_wait", of_lock, {"sem_wait", "futex"},
                [](stage& on) {
                    auto* const it = &on.keep<semaphore>(0U).it;
                    on.later([it] { ::sem_post(it); });
                    return [it] { ::sem_wait(it); };
                }),
        blocked("sem_timedwait", of_lock, {"sem_timedwait", "futex"},
                [](stage& on) {
                    return [it = &on.keep<semaphore>(0U).it] {
                        const timespec until = soon();
                        ::sem_timedwait(it, &until);
                    };
                }),
        blocked("sem_wait of a named one", of_lock, {"sem_wait", "futex"},
                [](stage& on) {
                    const std::string name = "/coir-corpus-" + std::to_string(::getpid());
                    sem_t* const it = ::sem_open(name.c_str(), O_CREAT, 0600, 0U);
                    ::sem_unlink(name.c_str());
                    on.finally([it] { ::sem_close(it); });
                    on.later([it] { ::sem_post(it); });
                    return [it] { ::sem_wait(it); };
                }),
        blocked("flockfile", of_lock, {"futex"},
                [](stage& on) {
                    FILE* const file = std::fopen("/dev/null", "w");
                    on.finally([file] { std::fclose(file); });
                    on.elsewhere([file] { ::flockfile(file); }, [file] { ::funlockfile(file); });
                    return [file] { std::fputs("x", file); };
                }),
        blocked("syscall(SYS_futex)", of_lock, {"futex"},
                [](stage& on) {
                    auto& word = on.keep<std::atomic<std::uint32_t>>(0U);
                    on.later([&] {
                        word = 1;
                        ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
                    });
                    return [&] { ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0); };
                }),
        blocked("msgrcv", of_lock, {"msgrcv"},
                [](stage& on) {
                    const int id = on.keep<mailbox>().id;
                    on.later([id] { must(::msgsnd(id, std::make_unique<message>().get(), 1, 0)); });
                    return [id] { ::msgrcv(id, std::make_unique<message>().get(), 1, 0, 0); };
                }),
        blocked("msgsnd", of_lock, {"msgsnd"},
                [](stage& on) {
                    const int id = on.keep<mailbox>().id;
                    auto& sent = on.keep<message>();
                    while (::msgsnd(id, &sent, sent.text.size(), IPC_NOWAIT) == 0) {
                    }
                    on.later([id] { ::msgrcv(id, std::make_unique<message>().get(), sizeof(message::text), 0, 0); });
                    return [id, &sent] { ::msgsnd(id, &sent, sent.text.size(), 0); };
                }),
        blocked("semop", of_lock, {"semop", "semtimedop"},
                [](stage& on) {
                    const int id = on.keep<semaphore_set>().id;
                    on.later([id] {
                        sembuf up{0, 1, 0};
                        must(::semop(id, &up, 1));
                    });
                    return [id] {
                        sembuf down{0, -1, 0};
                        ::semop(id, &down, 1);
                    };
                }),
        blocked("semtimedop", of_lock, {"semtimedop"},
                [](stage& on) {
                    return [id = on.keep<semaphore_set>().id] {
                        sembuf down{0, -1, 0};
                        const timespec limit{0, 30'000'000};
                        ::semtimedop(id, &down, 1, &limit);
                    };
                }),
        blocked("flock", of_lock, {"flock"},
                [](stage& on) {
                    auto& file = on.keep<two_openings>();
                    must(::flock(file.first.get(), LOCK_EX));
                    on.later([&] { must(::flock(file.first.get(), LOCK_UN)); });
                    return [&] { ::flock(file.second.get(), LOCK_EX); };
                }),
        blocked("fcntl(F_SETLKW)", of_lock, {"fcntl"},
                [](stage& on) {
                    return [fd = locked_by_a_process(on)] {
                        struct flock lock = whole_file();
                        ::fcntl(fd, F_SETLKW, &lock);
                    };
                }),
        blocked("fcntl(F_OFD_SETLKW)", of_lock, {"fcntl"},
                [](stage& on) {
                    auto& file = on.keep<two_openings>();
                    struct flock held = whole_file();
                    must(::fcntl(file.first.get(), F_OFD_SETLK, &held));
                    on.later([&] {
                        struct flock none = whole_file();
                        none.l_type = F_UNLCK;
                        must(::fcntl(file.first.get(), F_OFD_SETLK, &none));
                    });
                    return [&] {
                        struct flock lock = whole_file();
                        ::fcntl(file.second.get(), F_OFD_SETLKW, &lock);
                    };
                }),
        blocked("lockf", of_lock, {"lockf", "fcntl"},
                [](stage& on) { return [fd = locked_by_a_process(on)] { std::ignore = ::lockf(fd, F_LOCK, 0); }; }),
    };

    // Some kernels are built without it, and containers may not have it.
    mq_attr limits{};
    limits.mq_maxmsg = 1;
    limits.mq_msgsize = 8;
    if (const mqd_t there = ::mq_open("/coir-corpus-try", O_CREAT | O_RDWR, 0600, &limits); there >= 0) {
        ::mq_close(there);
        ::mq_unlink("/coir-corpus-try");
        all.push_back(blocked("mq_receive", of_lock, {"mq_timedreceive"}, [](stage& on) {
            const mqd_t fd = on.keep<message_queue>().fd;
            on.later([fd] { must(::mq_send(fd, "x", 1, 0)); });
            return [fd] {
                std::array<char, 8> bytes{};
                ::mq_receive(fd, bytes.data(), bytes.size(), nullptr);
            };
        }));
        all.push_back(blocked("mq_timedsend", of_lock, {"mq_timedsend"}, [](stage& on) {
            const mqd_t fd = on.keep<message_queue>().fd;
            must(::mq_send(fd, "x", 1, 0));
            return [fd] {
                const timespec until = soon();
                ::mq_timedsend(fd, "y", 1, 0, &until);
            };
        }));
    }
#if defined(SYS_futex_waitv) && defined(FUTEX_32)
    if (::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, 0) < 0 && errno != ENOSYS) {
        all.push_back(blocked("syscall(SYS_futex_waitv)", of_lock, {"futex_waitv"}, [](stage& on) {
            auto& word = on.keep<std::atomic<std::uint32_t>>(0U);
            on.later([&] {
                word = 1;
                ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
            });
            return [&] {
                futex_waitv one{};
                one.uaddr = reinterpret_cast<std::uintptr_t>(&word);
                one.flags = FUTEX_32;
                ::syscall(SYS_futex_waitv, &one, 1, 0, nullptr, CLOCK_MONOTONIC);
            };
        }));
    }
#endif
    return all;
}

}  // namespace coir::test
