#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <signal.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto pipe = blocking_class::pipe;

int late(stage& on) {
    auto& ends = on.keep<two_ends>(pipe_to_read());
    on.later([&] { put(ends.theirs.get(), "line\n"); });
    return ends.ours.get();
}

int full(stage& on) {
    auto& ends = on.keep<two_ends>(pipe_to_write());
    fill(ends.ours.get());
    on.later([&] { drain(ends.theirs.get()); });
    return ends.ours.get();
}

FILE* as_file(stage& on, int fd, const char* mode) {
    FILE* const file = ::fdopen(must(::dup(fd)), mode);
    on.finally([file] { std::fclose(file); });
    return file;
}

std::array<char, 64> bytes{};

template <class Call> auto with_late_input(Call call) {
    return [call](stage& on) {
        on.keep<other_input>(late(on));
        return call;
    };
}

}  // namespace

table on_pipes() {
    return {
        blocked("read of a pipe", pipe, {"read"},
                [](stage& on) { return [fd = late(on)] { std::ignore = ::read(fd, bytes.data(), bytes.size()); }; }),
        blocked("readv of a pipe", pipe, {"readv"},
                [](stage& on) {
                    return [fd = late(on)] {
                        const iovec part{bytes.data(), bytes.size()};
                        std::ignore = ::readv(fd, &part, 1);
                    };
                }),
        blocked("preadv2 of a pipe", pipe, {"preadv2"},
                [](stage& on) {
                    return [fd = late(on)] {
                        const iovec part{bytes.data(), bytes.size()};
                        std::ignore = ::preadv2(fd, &part, 1, -1, RWF_HIPRI);  // without flags it would be a readv
                    };
                }),
        blocked("read until the end of a pipe", pipe, {"read"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(pipe_to_read());
                    on.later([&] { ends.theirs = {}; });
                    return [&] { std::ignore = ::read(ends.ours.get(), bytes.data(), 1); };
                }),
        blocked("write to a pipe", pipe, {"write"},
                [](stage& on) { return [fd = full(on)] { std::ignore = ::write(fd, bytes.data(), bytes.size()); }; }),
        blocked("writev to a pipe", pipe, {"writev"},
                [](stage& on) {
                    return [fd = full(on)] {
                        const iovec part{bytes.data(), bytes.size()};
                        std::ignore = ::writev(fd, &part, 1);
                    };
                }),
        blocked("vmsplice to a pipe", pipe, {"vmsplice"},
                [](stage& on) {
                    return [fd = full(on)] {
                        const iovec part{bytes.data(), bytes.size()};
                        std::ignore = ::vmsplice(fd, &part, 1, 0);
                    };
                }),
        blocked("splice from a pipe to a pipe", pipe, {"splice"},
                [](stage& on) {
                    auto& to = on.keep<two_ends>(pipe_to_write());
                    return [from = late(on), &to] {
                        std::ignore = ::splice(from, nullptr, to.ours.get(), nullptr, 64, 0);
                    };
                }),
        blocked("tee", pipe, {"tee"},
                [](stage& on) {
                    auto& to = on.keep<two_ends>(pipe_to_write());
                    return [from = late(on), &to] { std::ignore = ::tee(from, to.ours.get(), 64, 0); };
                }),
        blocked("read of an eventfd", pipe, {"eventfd_read"},
                [](stage& on) {
                    const int fd = on.keep<unique_fd>(must(::eventfd(0, 0))).get();
                    on.later([fd] { ::eventfd_write(fd, 1); });
                    return [fd] {
                        eventfd_t value;
                        ::eventfd_read(fd, &value);
                    };
                }),
        blocked("write to an eventfd", pipe, {"eventfd_write"},
                [](stage& on) {
                    const int fd = on.keep<unique_fd>(must(::eventfd(0, 0))).get();
                    ::eventfd_write(fd, UINT64_MAX - 1);
                    on.later([fd] {
                        eventfd_t value;
                        ::eventfd_read(fd, &value);
                    });
                    return [fd] { ::eventfd_write(fd, 1); };
                }),
        blocked("read of a timerfd", pipe, {"timerfd_read"},
                [](stage& on) {
                    const int fd = on.keep<unique_fd>(must(::timerfd_create(CLOCK_MONOTONIC, 0))).get();
                    on.later([fd] {
                        const itimerspec soon{{}, {0, 1}};
                        ::timerfd_settime(fd, 0, &soon, nullptr);
                    });
                    return [fd] { std::ignore = ::read(fd, bytes.data(), 8); };
                }),
        blocked("read of a signalfd", pipe, {"read"},
                [](stage& on) {
                    sigset_t one;
                    sigset_t before;
                    ::sigemptyset(&one);
                    ::sigaddset(&one, SIGUSR2);
                    ::pthread_sigmask(SIG_BLOCK, &one, &before);
                    on.finally([before] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });
                    const int fd = on.keep<unique_fd>(must(::signalfd(-1, &one, 0))).get();
                    on.later([target = ::pthread_self()] { ::pthread_kill(target, SIGUSR2); });
                    return [fd] {
                        signalfd_siginfo what;
                        std::ignore = ::read(fd, &what, sizeof what);
                    };
                }),
        blocked("read of inotify", pipe, {"inotify_read"},
                [](stage& on) {
                    auto& watched = on.keep<folder>();
                    const int fd = on.keep<unique_fd>(must(::inotify_init1(0))).get();
                    must(::inotify_add_watch(fd, watched.path.c_str(), IN_CREATE));
                    on.later([&] { std::ofstream{watched.file("new")}; });
                    return [fd] {
                        std::array<char, 4096> events;
                        std::ignore = ::read(fd, events.data(), events.size());
                    };
                }),
        blocked("read of a terminal", pipe, {"read"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(terminal());
                    on.later([&] { put(ends.theirs.get(), "line\n"); });
                    return [&] { std::ignore = ::read(ends.ours.get(), bytes.data(), bytes.size()); };
                }),
        blocked("read of what a terminal shows", pipe, {"read"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(terminal());
                    on.later([&] { put(ends.ours.get(), "line\n"); });
                    return [&] { std::ignore = ::read(ends.theirs.get(), bytes.data(), bytes.size()); };
                }),
        blocked("fgets", pipe, {"read"},
                [](stage& on) {
                    return [file = as_file(on, late(on), "r")] {
                        std::ignore = std::fgets(bytes.data(), bytes.size(), file);
                    };
                }),
        blocked("fscanf", pipe, {"read"},
                [](stage& on) {
                    return
                        [file = as_file(on, late(on), "r")] { std::ignore = std::fscanf(file, "%60s", bytes.data()); };
                }),
        blocked("getline of a FILE", pipe, {"read"},
                [](stage& on) {
                    return [file = as_file(on, late(on), "r")] {
                        char* line = nullptr;
                        std::size_t size = 0;
                        std::ignore = ::getline(&line, &size, file);
                        std::free(line);
                    };
                }),
        blocked("fflush", pipe, {"write"},
                [](stage& on) {
                    return [file = as_file(on, full(on), "w")] {
                        std::fputs("x", file);
                        std::fflush(file);
                    };
                }),
        blocked("std::getline of std::cin", pipe, {"read"}, with_late_input([] {
                    std::string line;
                    std::getline(std::cin, line);
                })),
        blocked("std::cin >> word", pipe, {"read"}, with_late_input([] {
                    std::string word;
                    std::cin >> word;
                })),
        blocked("getchar", pipe, {"read"}, with_late_input([] { std::getchar(); })),
        blocked("std::ifstream of a FIFO", pipe, {"read"},
                [](stage& on) {
                    auto& place = on.keep<folder>();
                    must(::mkfifo(place.file("fifo").c_str(), 0600));
                    const int writer = on.keep<unique_fd>(must(::open(place.file("fifo").c_str(), O_RDWR))).get();
                    auto& file = on.keep<std::ifstream>(place.file("fifo"));
                    on.later([writer] { put(writer, "line\n"); });
                    return [&] {
                        std::string line;
                        std::getline(file, line);
                    };
                }),
        blocked("std::ofstream of a FIFO", pipe, {"write", "writev"},
                [](stage& on) {
                    auto& place = on.keep<folder>();
                    must(::mkfifo(place.file("fifo").c_str(), 0600));
                    const int reader = on.keep<unique_fd>(must(::open(place.file("fifo").c_str(), O_RDWR))).get();
                    auto& file = on.keep<std::ofstream>(place.file("fifo"));
                    fill(reader);
                    on.later([reader] { drain(reader); });
                    return [&] { file << "x" << std::flush; };
                }),
        blocked("printing to a standard output that nobody reads", pipe, {"write"},
                [](stage& on) {
                    std::fflush(stdout);
                    const int before = on.keep<unique_fd>(must(::dup(STDOUT_FILENO))).get();
                    on.finally([before] { ::dup2(before, STDOUT_FILENO); });
                    must(::dup2(full(on), STDOUT_FILENO));
                    return [] {
                        std::fputs("x", stdout);
                        std::fflush(stdout);
                    };
                }),
    };
}

}  // namespace coir::test
