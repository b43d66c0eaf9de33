#pragma once

#include <sched.h>
#include <signal.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::test {

/// While it lives, a process that never sleeps has the same core as the calling thread and those that it begins.
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
        ::alarm(300);  // also when nobody is left to end it
        for (;;) asm volatile("");
    }

    cpu_set_t before_{};
    pid_t process_ = -1;
};

}  // namespace coir::test
