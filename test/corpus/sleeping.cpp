#include "corpus/tables.hpp"

#include <chrono>
#include <ctime>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <thread>
#include <threads.h>
#include <unistd.h>

namespace coir::test {

namespace {

using namespace std::chrono_literals;

constexpr auto asleep = blocking_class::sleep;
constexpr timespec length{0, 30'000'000};

timespec moment(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    now.tv_nsec += 40'000'000;
    if (now.tv_nsec >= 1'000'000'000) {
        now.tv_nsec -= 1'000'000'000;
        ++now.tv_sec;
    }
    return now;
}

#if defined(__x86_64__)
long nanosleep_in_assembly() {
    long result = SYS_nanosleep;
    asm volatile("syscall" : "+a"(result) : "D"(&length), "S"(nullptr) : "rcx", "r11", "memory");
    return result;
}
#else
long nanosleep_in_assembly() { return ::syscall(SYS_nanosleep, &length, nullptr); }
#endif

}  // namespace

table sleeping() {
    return {
        blocked("std::this_thread::sleep_for", asleep, {"nanosleep", "clock_nanosleep"},
                [] { std::this_thread::sleep_for(30ms); }),
        blocked("std::this_thread::sleep_until of the steady clock", asleep, {"nanosleep", "clock_nanosleep"},
                [] { std::this_thread::sleep_until(std::chrono::steady_clock::now() + 40ms); }),
        blocked("std::this_thread::sleep_until of the system's clock", asleep, {"nanosleep", "clock_nanosleep"},
                [] { std::this_thread::sleep_until(std::chrono::system_clock::now() + 40ms); }),
        blocked("nanosleep", asleep, {"nanosleep", "clock_nanosleep"}, [] { ::nanosleep(&length, nullptr); }),
        blocked("usleep", asleep, {"usleep", "clock_nanosleep"}, [] { ::usleep(30'000); }),
        blocked("sleep", asleep, {"sleep", "clock_nanosleep"},
                [](stage& on) {
                    on.signal_later(SIGUSR1);  // so that it does not take a full second
                    return [] { ::sleep(1); };
                }),
        blocked("thrd_sleep", asleep, {"clock_nanosleep"}, [] { ::thrd_sleep(&length, nullptr); }),
        blocked("clock_nanosleep", asleep, {"clock_nanosleep"},
                [] { ::clock_nanosleep(CLOCK_MONOTONIC, 0, &length, nullptr); }),
        blocked("clock_nanosleep to a moment", asleep, {"clock_nanosleep"},
                [] {
                    const timespec until = moment(CLOCK_MONOTONIC);
                    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
                }),
        blocked("clock_nanosleep to a moment of the system's clock", asleep, {"clock_nanosleep"},
                [] {
                    const timespec until = moment(CLOCK_REALTIME);
                    ::clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr);
                }),
        blocked("syscall(SYS_nanosleep)", asleep, {"nanosleep"}, [] { ::syscall(SYS_nanosleep, &length, nullptr); }),
        without_hook(blocked("nanosleep in assembly", asleep, {"nanosleep"}, [] { nanosleep_in_assembly(); })),
        blocked("poll of nothing", asleep, {"poll", "ppoll"}, [] { ::poll(nullptr, 0, 30); }),
        blocked("ppoll of nothing", asleep, {"ppoll"}, [] { ::ppoll(nullptr, 0, &length, nullptr); }),
        blocked("select of nothing", asleep, {"select", "pselect"},
                [] {
                    timeval limit{0, 30'000};
                    ::select(0, nullptr, nullptr, nullptr, &limit);
                }),
        blocked("pselect of nothing", asleep, {"pselect"},
                [] { ::pselect(0, nullptr, nullptr, nullptr, &length, nullptr); }),
    };
}

}  // namespace coir::test
