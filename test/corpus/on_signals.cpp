#include "corpus/tables.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto of_signal = blocking_class::signal;

sigset_t only(int signal) {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    return one;
}

/// A signal that arrives later. It is blocked, so that it is waited for and not handled.
sigset_t blocked_and_late(stage& on) {
    const sigset_t one = only(SIGUSR1);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &one, &before);
    on.finally([before] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });
    on.later([target = ::pthread_self()] { ::pthread_kill(target, SIGUSR1); });
    return one;
}

}  // namespace

table on_signals() {
    return {
        blocked("pause", of_signal, {"pause"},
                [](stage& on) {
                    on.signal_later(SIGUSR1);
                    return [] { ::pause(); };
                }),
        blocked("sigsuspend", of_signal, {"sigsuspend"},
                [](stage& on) {
                    on.signal_later(SIGUSR1);
                    return [] {
                        sigset_t all_others;
                        ::sigfillset(&all_others);
                        ::sigdelset(&all_others, SIGUSR1);
                        ::sigsuspend(&all_others);
                    };
                }),
        blocked("sigwait", of_signal, {"sigtimedwait"},
                [](stage& on) {
                    return [one = blocked_and_late(on)] {
                        int got = 0;
                        ::sigwait(&one, &got);
                    };
                }),
        blocked("sigwaitinfo", of_signal, {"sigtimedwait"},
                [](stage& on) {
                    return [one = blocked_and_late(on)] {
                        siginfo_t what;
                        ::sigwaitinfo(&one, &what);
                    };
                }),
        blocked("sigtimedwait", of_signal, {"sigtimedwait"},
                [] {
                    const sigset_t one = only(SIGUSR2);
                    const timespec limit{0, 30'000'000};
                    ::sigtimedwait(&one, nullptr, &limit);
                }),
        blocked("syscall(SYS_rt_sigtimedwait)", of_signal, {"sigtimedwait"},
                [] {
                    const sigset_t one = only(SIGUSR2);
                    const timespec limit{0, 30'000'000};
                    ::syscall(SYS_rt_sigtimedwait, &one, nullptr, &limit, 8);
                }),
    };
}

}  // namespace coir::test
