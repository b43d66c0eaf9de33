#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto asked = blocking_class::poll;
constexpr timespec length{0, 30'000'000};
constexpr timespec a_minute{60, 0};

/// A pipe that is written to after the fiber has waited for it.
int late_pipe(stage& on) {
    auto& ends = on.keep<two_ends>(pipe_to_read());
    on.later([&] { put(ends.theirs.get()); });
    return ends.ours.get();
}

int epoll_of(stage& on, int fd) {
    const int epoll = on.keep<unique_fd>(must(::epoll_create1(0))).get();
    epoll_event what{.events = EPOLLIN, .data = {}};
    must(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &what));
    return epoll;
}

fd_set set_of(int fd) {
    fd_set one;
    FD_ZERO(&one);
    FD_SET(fd, &one);
    return one;
}

#if defined(__x86_64__)
long poll_in_assembly(pollfd* what) {
    long result = SYS_poll;
    asm volatile("syscall" : "+a"(result) : "D"(what), "S"(1L), "d"(60'000L) : "rcx", "r11", "memory");
    return result;
}
#else
long poll_in_assembly(pollfd* what) { return ::syscall(SYS_ppoll, what, 1, &a_minute, nullptr, 0); }
#endif

}  // namespace

table polling() {
    table all{
        blocked("poll", asked, {"poll", "ppoll"},
                [](stage& on) {
                    return [what = pollfd{late_pipe(on), POLLIN, 0}]() mutable { ::poll(&what, 1, -1); };
                }),
        blocked("poll to its limit", asked, {"poll", "ppoll"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(pipe_to_read());
                    return [what = pollfd{ends.ours.get(), POLLIN, 0}]() mutable { ::poll(&what, 1, 30); };
                }),
        blocked("poll of a descriptor that is none", asked, {"poll", "ppoll"},
                [] {
                    pollfd what{-1, POLLIN, 0};
                    ::poll(&what, 1, 30);
                }),
        blocked(
            "ppoll", asked, {"ppoll"},
            [](stage& on) {
                return [what = pollfd{late_pipe(on), POLLIN, 0}]() mutable { ::ppoll(&what, 1, &a_minute, nullptr); };
            }),
        blocked("select", asked, {"select", "pselect"},
                [](stage& on) {
                    return [fd = late_pipe(on)] {
                        fd_set what = set_of(fd);
                        ::select(fd + 1, &what, nullptr, nullptr, nullptr);
                    };
                }),
        blocked("pselect with a signal mask", asked, {"pselect"},
                [](stage& on) {
                    return [fd = late_pipe(on)] {
                        fd_set what = set_of(fd);
                        sigset_t all_signals;
                        ::sigfillset(&all_signals);
                        ::pselect(fd + 1, &what, nullptr, nullptr, nullptr, &all_signals);
                    };
                }),
        blocked("epoll_wait", asked, {"epoll_wait", "epoll_pwait"},
                [](stage& on) {
                    return [epoll = epoll_of(on, late_pipe(on))] {
                        epoll_event found;
                        ::epoll_wait(epoll, &found, 1, -1);
                    };
                }),
        blocked("epoll_wait for nothing", asked, {"epoll_wait", "epoll_pwait"},
                [](stage& on) {
                    return [epoll = on.keep<unique_fd>(must(::epoll_create1(0))).get()] {
                        epoll_event found;
                        ::epoll_wait(epoll, &found, 1, 30);
                    };
                }),
        blocked("epoll_pwait with a signal mask", asked, {"epoll_pwait"},
                [](stage& on) {
                    return [epoll = epoll_of(on, late_pipe(on))] {
                        epoll_event found;
                        sigset_t all_signals;
                        ::sigfillset(&all_signals);
                        ::epoll_pwait(epoll, &found, 1, -1, &all_signals);
                    };
                }),
        blocked("syscall(SYS_ppoll)", asked, {"ppoll"},
                [](stage& on) {
                    return [what = pollfd{late_pipe(on), POLLIN, 0}]() mutable {
                        ::syscall(SYS_ppoll, &what, 1, nullptr, nullptr, 8);
                    };
                }),
        without_hook(
            blocked("poll in assembly", asked, {"poll", "ppoll"},
                    [](stage& on) {
                        return [what = pollfd{late_pipe(on), POLLIN, 0}]() mutable { poll_in_assembly(&what); };
                    })),
    };

    // Calls that some kernels do not have or do not permit.
    epoll_event found;
    if (::syscall(SYS_epoll_pwait2, -1, &found, 1, &length, nullptr, 8) < 0 && errno != ENOSYS) {
        all.push_back(blocked("epoll_pwait2", asked, {"epoll_pwait2"}, [](stage& on) {
            return [epoll = epoll_of(on, late_pipe(on))] {
                epoll_event event;
                ::epoll_pwait2(epoll, &event, 1, &a_minute, nullptr);
            };
        }));
    }
    io_uring_params asked_for{};
    if (const unique_fd ring{static_cast<int>(::syscall(SYS_io_uring_setup, 4, &asked_for))}; ring) {
        all.push_back(blocked("io_uring_enter", asked, {"io_uring_enter"}, [](stage& on) {
            io_uring_params parameters{};
            const int fd =
                on.keep<unique_fd>(must(static_cast<int>(::syscall(SYS_io_uring_setup, 4, &parameters)))).get();
            on.signal_later(SIGUSR1);
            return [fd] { ::syscall(SYS_io_uring_enter, fd, 0, 1, IORING_ENTER_GETEVENTS, nullptr, 0); };
        }));
    }
    return all;
}

}  // namespace coir::test
