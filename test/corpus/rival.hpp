#pragma once

#include <sched.h>
#include <signal.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::test {

/// During its lifetime, a process that never sleeps shares the core of the calling thread and of the threads that it
/// starts.
class rival {
public:
    rival() {
        ::sched_getaffinity(0, sizeof before_, &before_);
        int first = 0;
        while (!CPU_ISSET(first, &before_)) ++first;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(first, &one);
        ::sched_setaffinity(0, sizeof one, &one);
        process_ = ::fork();
        if (process_ < 0) throw std::runtime_error{"no process for a rival"};
        if (process_ == 0) compete();
    }

    ~rival() {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        ::sched_setaffinity(0, sizeof before_, &before_);
    }

    rival(const rival&) = delete;
    rival& operator=(const rival&) = delete;

private:
    [[noreturn]] static void compete() {
        ::alarm(300);  // ends it even if its parent has died
        for (;;) asm volatile("");
    }

    cpu_set_t before_{};
    pid_t process_ = -1;
};

}  // namespace coir::test
