#include "base/sys.hpp"
#include "base/unique_fd.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/seccomp.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::detail::unique_fd;
using coir::test::require;
namespace sys = coir::detail::sys;

namespace {

struct pipe_ends {
    pipe_ends() {
        int fds[2];
        REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
        read = unique_fd{fds[0]};
        write = unique_fd{fds[1]};
    }
    unique_fd read;
    unique_fd write;
};

unique_fd epoll_for(int fd, std::uint32_t events) {
    unique_fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    REQUIRE(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0);
    return epoll;
}

}  // namespace

TEST_CASE("sys: a failing call returns -errno and does not change errno") {
    errno = ELOOP;
    char byte = 0;
    CHECK(sys::read(-1, &byte, 1) == -EBADF);
    CHECK(sys::write(-1, &byte, 1) == -EBADF);
    CHECK(sys::recv(-1, &byte, 1, 0) == -EBADF);
    CHECK(sys::send(-1, &byte, 1, 0) == -EBADF);
    CHECK(sys::accept4(-1, nullptr, nullptr, 0) == -EBADF);
    iovec vector{&byte, 1};
    CHECK(sys::readv(-1, &vector, 1) == -EBADF);
    CHECK(sys::writev(-1, &vector, 1) == -EBADF);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    CHECK(sys::connect(-1, reinterpret_cast<const sockaddr*>(&address), sizeof address) == -EBADF);
    epoll_event event{};
    CHECK(sys::epoll_wait(-1, &event, 1, 0) == -EBADF);
    CHECK(errno == ELOOP);
}

TEST_CASE("sys: written bytes are read back, and an empty pipe returns EAGAIN") {
    const pipe_ends pipe;
    errno = ELOOP;
    std::array<char, 8> buffer{};
    CHECK(sys::read(pipe.read.get(), buffer.data(), buffer.size()) == -EAGAIN);
    CHECK(sys::write(pipe.write.get(), "fiber", 5) == 5);
    CHECK(sys::read(pipe.read.get(), buffer.data(), buffer.size()) == 5);
    CHECK(std::string_view{buffer.data(), 5} == "fiber");
    CHECK(errno == ELOOP);
}

TEST_CASE("sys: vectored and socket calls pass their arguments") {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    const unique_fd one{fds[0]}, two{fds[1]};
    char hello[] = "hello ", world[] = "world";
    const iovec from[] = {{hello, 6}, {world, 5}};
    CHECK(sys::writev(one.get(), from, 2) == 11);
    std::array<char, 4> head{};
    CHECK(sys::recv(two.get(), head.data(), head.size(), MSG_PEEK) == 4);
    std::array<char, 7> tail{};
    const iovec into[] = {{head.data(), head.size()}, {tail.data(), tail.size()}};
    CHECK(sys::readv(two.get(), into, 2) == 11);
    CHECK(std::string_view{head.data(), head.size()} == "hell");
    CHECK(std::string_view{tail.data(), tail.size()} == "o world");
    CHECK(sys::send(two.get(), "ok", 2, MSG_NOSIGNAL) == 2);
    CHECK(sys::recv(one.get(), head.data(), head.size(), 0) == 2);
}

TEST_CASE("sys: connect and accept4 make a connection") {
    const unique_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener.get(), any, length) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), any, &length) == 0);

    const unique_fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(sys::connect(client.get(), any, length) == 0);
    sockaddr_in peer{};
    length = sizeof peer;
    const unique_fd server{static_cast<int>(
        sys::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC | SOCK_NONBLOCK))};
    REQUIRE(server);
    CHECK(peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK((::fcntl(server.get(), F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("sys: poll_now returns the current state without waiting") {
    const pipe_ends pipe;
    CHECK(sys::poll_now(pipe.read.get(), POLLIN) == 0);
    CHECK(sys::poll_now(pipe.write.get(), POLLOUT) == POLLOUT);
    CHECK(sys::poll_now(pipe.write.get(), POLLIN) == 0);
    REQUIRE(sys::write(pipe.write.get(), "x", 1) == 1);
    CHECK(sys::poll_now(pipe.read.get(), POLLIN) == POLLIN);
    CHECK((sys::poll_now(123'456, POLLIN) & POLLNVAL) != 0);
}

TEST_CASE("sys: epoll_wait with a timeout of zero polls and returns") {
    const pipe_ends pipe;
    const unique_fd epoll = epoll_for(pipe.read.get(), EPOLLIN);
    epoll_event event{};
    CHECK(sys::epoll_wait(epoll.get(), &event, 1, 0) == 0);
    REQUIRE(sys::write(pipe.write.get(), "x", 1) == 1);
    CHECK(sys::epoll_wait(epoll.get(), &event, 1, 0) == 1);
    CHECK(int{event.data.fd} == pipe.read.get());
}

TEST_CASE("sys: epoll_wait without a timeout waits for an event") {
    const pipe_ends pipe;
    const unique_fd epoll = epoll_for(pipe.read.get(), EPOLLIN);
    REQUIRE(sys::write(pipe.write.get(), "x", 1) == 1);
    epoll_event event{};
    CHECK(sys::epoll_wait(epoll.get(), &event, 1, -1) == 1);
}

TEST_CASE("sys: epoll_wait never returns early, also for less than a millisecond") {
    const pipe_ends pipe;
    const unique_fd epoll = epoll_for(pipe.read.get(), EPOLLIN);
    for (const std::chrono::nanoseconds limit : {std::chrono::nanoseconds{1}, 300'000ns, 2'500'000ns}) {
        epoll_event event{};
        const auto before = std::chrono::steady_clock::now();
        CHECK(sys::epoll_wait(epoll.get(), &event, 1, limit.count()) == 0);
        CHECK(std::chrono::steady_clock::now() - before >= limit);
    }
}

TEST_CASE("sys: epoll_wait interrupted by a signal returns EINTR") {
    const pipe_ends pipe;
    const unique_fd epoll = epoll_for(pipe.read.get(), EPOLLIN);
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};
    REQUIRE(::sigaction(SIGUSR1, &quiet, &before) == 0);
    // A timer of this process sends the signal during the wait, so no other thread has to be scheduled in time.
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    timer_t timer{};
    REQUIRE(::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    const itimerspec soon{{0, 5'000'000}, {0, 5'000'000}};
    REQUIRE(::timer_settime(timer, 0, &soon, nullptr) == 0);
    epoll_event none{};
    CHECK(sys::epoll_wait(epoll.get(), &none, 1, -1) == -EINTR);
    ::timer_delete(timer);
    ::sigaction(SIGUSR1, &before, nullptr);
}

// Skipped where ThreadSanitizer intercepts epoll_wait.
TEST_CASE("sys: epoll_wait waits without epoll_pwait2, whatever error a filter returns for it" *
          doctest::skip(coir::test::thread_sanitized)) {
    for (const unsigned error : {ENOSYS, EPERM, EINVAL}) {
        CAPTURE(error);
        const auto child = coir::test::in_child([&] {
            coir::test::filter_system_call(SYS_epoll_pwait2, -1, SECCOMP_RET_ERRNO | error);
            const pipe_ends pipe;
            const unique_fd epoll = epoll_for(pipe.read.get(), EPOLLIN);
            epoll_event event{};
            const auto before = std::chrono::steady_clock::now();
            require(sys::epoll_wait(epoll.get(), &event, 1, 300'000) == 0, "no time-out");
            require(std::chrono::steady_clock::now() - before >= 300us, "it came too early");
            require(sys::write(pipe.write.get(), "x", 1) == 1, "write");
            require(sys::epoll_wait(epoll.get(), &event, 1, -1) == 1, "no event");
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
    }
}

TEST_CASE("sys: epoll_pwait2 is used again after a wait that failed due to its arguments" *
          doctest::skip(coir::test::thread_sanitized)) {
    const auto child = coir::test::in_child([] {
        const pipe_ends pipe;
        const unique_fd epoll = epoll_for(pipe.write.get(), EPOLLOUT);
        epoll_event event{};
        require(sys::epoll_wait(pipe.read.get(), &event, 1, 0) == -EINVAL, "a pipe is waited for");
        coir::test::filter_system_call(SYS_epoll_pwait, -1, SECCOMP_RET_ERRNO | ENOLINK);
        require(sys::epoll_wait(epoll.get(), &event, 1, -1) != -ENOLINK, "epoll_pwait was called");
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}
