#pragma once

#include "base/system_call.hpp"

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <mqueue.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/types.h>
#include <sys/wait.h>

/// @file
/// Replacements for the hooked functions in a static program, where a hook cannot call the C library's function. Each
/// makes the system call, or calls another function of the C library that does the same.
namespace coir::detail::static_fallback {

/// syscall(2): returns -1 and sets errno if the call fails.
long syscall(long number, long a, long b, long c, long d, long e, long f);
/// The same with up to six arguments of any integer or pointer type.
template <class Result = long, class... Arguments> Result kernel(long number, Arguments... arguments) {
    const long all[6] = {word_of(arguments)...};
    return static_cast<Result>(syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]));
}

inline constexpr long signal_set_bytes = 8;  // size of the kernel's sigset_t

/// Ends the program if a call would write beyond the end of its buffer.
void check_buffer(std::size_t requested, std::size_t available);

int nanosleep(const timespec* length, timespec* left);
int clock_nanosleep(clockid_t clock, int flags, const timespec* length, timespec* left);
int usleep(useconds_t microseconds);
unsigned sleep(unsigned seconds);
int system(const char* command);
FILE* popen(const char* command, const char* mode);
pid_t wait(int* status);
pid_t waitpid(pid_t child, int* status, int options);
pid_t wait4(pid_t child, int* status, int options, rusage* usage);
int waitid(idtype_t what, id_t id, siginfo_t* status, int options);
int flock(int fd, int operation);
int lockf(int fd, int operation, off_t length);
int pause();
int thrd_sleep(const timespec* length, timespec* left);
int fcntl(int fd, int command, long argument);
int pclose(FILE* pipe);
int posix_spawn(pid_t* child, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment);
int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const* arguments, char* const* environment);
pid_t wait3(int* status, int options, rusage* usage);
ssize_t mq_receive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority);
ssize_t mq_timedreceive(mqd_t queue, char* into, std::size_t bytes, unsigned* priority, const timespec* until);
int mq_send(mqd_t queue, const char* from, std::size_t bytes, unsigned priority);
int mq_timedsend(mqd_t queue, const char* from, std::size_t bytes, unsigned priority, const timespec* until);
ssize_t msgrcv(int queue, void* into, std::size_t bytes, long type, int flags);
int msgsnd(int queue, const void* from, std::size_t bytes, int flags);
int semop(int set, sembuf* operations, std::size_t count);
int semtimedop(int set, sembuf* operations, std::size_t count, const timespec* limit);
int sigsuspend(const sigset_t* mask);
int sigwait(const sigset_t* signals, int* signal);
int sigwaitinfo(const sigset_t* signals, siginfo_t* info);
int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* limit);
int sigaction(int signal, const struct sigaction* action, struct sigaction* before);

}  // namespace coir::detail::static_fallback
