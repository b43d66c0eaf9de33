#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::test {

namespace {

std::array<char, 4096> bytes{};

int nonblocking(stage& on, two_ends ends) {
    auto& kept = on.keep<two_ends>(std::move(ends));
    set_nonblocking(kept.ours.get());
    return kept.ours.get();
}

int silent_socket(stage& on) { return on.keep<two_ends>(sockets()).ours.get(); }
int device(stage& on, const char* name) { return on.keep<unique_fd>(must(::open(name, O_RDWR))).get(); }
int file(stage& on) { return on.keep<unique_fd>(nameless_file()).get(); }

}  // namespace

table harmless_calls() {
    return {
        unseen(
            "recv of a non-blocking socket",
            [](stage& on) { return [fd = nonblocking(on, sockets())] { ::recv(fd, bytes.data(), bytes.size(), 0); }; }),
        unseen("recv with MSG_DONTWAIT",
               [](stage& on) {
                   return [fd = silent_socket(on)] { ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT); };
               }),
        unseen("recvmsg with MSG_DONTWAIT",
               [](stage& on) {
                   return [fd = silent_socket(on)] {
                       msghdr whole{};
                       ::recvmsg(fd, &whole, MSG_DONTWAIT);
                   };
               }),
        unseen("recvmmsg with MSG_DONTWAIT",
               [](stage& on) {
                   return [fd = silent_socket(on)] {
                       mmsghdr one{};
                       ::recvmmsg(fd, &one, 1, MSG_DONTWAIT, nullptr);
                   };
               }),
        unseen("send to a full socket with MSG_DONTWAIT",
               [](stage& on) {
                   const int fd = silent_socket(on);
                   fill(fd);
                   return [fd] { ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT); };
               }),
        unseen("read of a non-blocking pipe",
               [](stage& on) {
                   return [fd = nonblocking(on, pipe_to_read())] { std::ignore = ::read(fd, bytes.data(), 1); };
               }),
        unseen("write to a full non-blocking pipe",
               [](stage& on) {
                   auto& ends = on.keep<two_ends>(pipe_to_write());
                   fill(ends.ours.get());
                   set_nonblocking(ends.ours.get());
                   return [&] { std::ignore = ::write(ends.ours.get(), "x", 1); };
               }),
        unseen("accept of a non-blocking listener",
               [](stage& on) {
                   auto& server = on.keep<listener>();
                   set_nonblocking(server.fd.get());
                   return [&] { ::accept(server.fd.get(), nullptr, nullptr); };
               }),
        unseen("connect of a non-blocking socket",
               [](stage& on) {
                   auto& server = on.keep<listener>();
                   auto& client = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)));
                   return [&] { std::ignore = ::connect(client.get(), server.address(), server.length); };
               }),
        unseen("connect of a datagram socket",
               [](stage& on) {
                   auto& peer = on.keep<listener>(0, SOCK_DGRAM);
                   auto& ours = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_DGRAM, 0)));
                   return [&] { std::ignore = ::connect(ours.get(), peer.address(), peer.length); };
               }),
        unseen("read of a non-blocking eventfd",
               [](stage& on) {
                   return [fd = on.keep<unique_fd>(must(::eventfd(0, EFD_NONBLOCK))).get()] {
                       eventfd_t value;
                       ::eventfd_read(fd, &value);
                   };
               }),
        unseen("read of a non-blocking timerfd",
               [](stage& on) {
                   return [fd = on.keep<unique_fd>(must(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK))).get()] {
                       std::ignore = ::read(fd, bytes.data(), 8);
                   };
               }),
        unseen("poll with no time",
               [](stage& on) {
                   return [what = pollfd{silent_socket(on), POLLIN, 0}]() mutable { ::poll(&what, 1, 0); };
               }),
        unseen("ppoll with no time",
               [](stage& on) {
                   return [what = pollfd{silent_socket(on), POLLIN, 0}]() mutable {
                       const timespec none{};
                       ::ppoll(&what, 1, &none, nullptr);
                   };
               }),
        unseen("select with no time",
               [] {
                   timeval none{};
                   ::select(0, nullptr, nullptr, nullptr, &none);
               }),
        unseen("pselect with no time",
               [] {
                   const timespec none{};
                   ::pselect(0, nullptr, nullptr, nullptr, &none, nullptr);
               }),
        unseen("epoll_wait with no time",
               [](stage& on) {
                   return [epoll = on.keep<unique_fd>(must(::epoll_create1(0))).get()] {
                       epoll_event found;
                       ::epoll_wait(epoll, &found, 1, 0);
                   };
               }),
        unseen("nanosleep of nothing",
               [] {
                   const timespec none{};
                   ::nanosleep(&none, nullptr);
               }),
        unseen("clock_nanosleep to a moment that has passed",
               [] {
                   const timespec past{1, 0};
                   ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, nullptr);
               }),
        unseen("waitpid with WNOHANG",
               [](stage& on) {
                   const pid_t it = child();
                   on.finally([it] {
                       ::kill(it, SIGKILL);
                       ::waitpid(it, nullptr, 0);
                   });
                   return [it] { ::waitpid(it, nullptr, WNOHANG); };
               }),
        unseen("flock with LOCK_NB",
               [](stage& on) {
                   return [fd = file(on)] {
                       ::flock(fd, LOCK_EX | LOCK_NB);
                       ::flock(fd, LOCK_UN);
                   };
               }),
        unseen("fcntl(F_SETLK)",
               [](stage& on) {
                   return [fd = file(on)] {
                       struct flock lock {};
                       lock.l_type = F_WRLCK;
                       ::fcntl(fd, F_SETLK, &lock);
                   };
               }),
        unseen("fcntl(F_SETLKW) that unlocks",
               [](stage& on) {
                   return [fd = file(on)] {
                       struct flock none {};
                       none.l_type = F_UNLCK;
                       ::fcntl(fd, F_SETLKW, &none);
                   };
               }),
        unseen("sigtimedwait with no time",
               [] {
                   sigset_t one;
                   ::sigemptyset(&one);
                   ::sigaddset(&one, SIGUSR1);
                   const timespec none{};
                   ::sigtimedwait(&one, nullptr, &none);
               }),
        unseen("write to /dev/null",
               [](stage& on) {
                   return [fd = device(on, "/dev/null")] { std::ignore = ::write(fd, bytes.data(), bytes.size()); };
               }),
        unseen("read of /dev/zero",
               [](stage& on) {
                   return [fd = device(on, "/dev/zero")] { std::ignore = ::read(fd, bytes.data(), bytes.size()); };
               }),
        unseen("read of /dev/urandom",
               [](stage& on) {
                   return [fd = device(on, "/dev/urandom")] { std::ignore = ::read(fd, bytes.data(), 64); };
               }),
        unseen("getrandom", [] { std::ignore = ::getrandom(bytes.data(), 64, 0); }),
        unseen("read of a file that is in the page cache",
               [](stage& on) { return [fd = file(on)] { std::ignore = ::pread(fd, bytes.data(), bytes.size(), 0); }; }),
        unseen(
            "write to a file",
            [](stage& on) { return [fd = file(on)] { std::ignore = ::pwrite(fd, bytes.data(), bytes.size(), 0); }; }),
        unseen("stat, access and open of a file that is known",
               [] {
                   struct stat about {};
                   ::stat("/bin/sh", &about);
                   ::access("/bin/sh", R_OK);
                   const unique_fd fd{::open("/bin/sh", O_RDONLY)};
               }),
        unseen("opendir and readdir",
               [](stage& on) {
                   return [&place = on.keep<folder>()] {
                       DIR* const here = ::opendir(place.path.c_str());
                       while (::readdir(here) != nullptr) {
                       }
                       ::closedir(here);
                   };
               }),
        unseen("mmap, mprotect and munmap",
               [] {
                   constexpr std::size_t size = 1 << 20;
                   void* const made = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                   ::mprotect(made, size, PROT_READ | PROT_WRITE);
                   static_cast<char*>(made)[0] = 1;
                   ::madvise(made, size, MADV_DONTNEED);
                   ::munmap(made, size);
               }),
        unseen("getpid, getuid and uname by the kernel",
               [] {
                   ::getpid();
                   ::getppid();
                   ::getuid();
               }),
        unseen("the clocks",
               [] {
                   timespec now;
                   ::clock_gettime(CLOCK_REALTIME, &now);
                   ::clock_gettime(CLOCK_MONOTONIC, &now);
                   ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
                   ::time(nullptr);
               }),
        unseen("socket options and names",
               [](stage& on) {
                   return [fd = on.keep<listener>().fd.get()] {
                       const int yes = 1;
                       ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
                       sockaddr_in where{};
                       socklen_t length = sizeof where;
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &length);
                       int waiting = 0;
                       ::ioctl(fd, FIONREAD, &waiting);
                   };
               }),
        unseen("making pipes, sockets and epolls, and closing them",
               [] {
                   const two_ends a_pipe = pipe_to_read();
                   const two_ends a_pair = sockets();
                   const unique_fd epoll{::epoll_create1(0)};
               }),
        unseen("sched_yield, once", [] { ::sched_yield(); }),
        unseen("raise of a signal that has a handler",
               [](stage& on) {
                   void (*const before)(int) = ::signal(SIGUSR2, [](int) {});
                   on.finally([before] { ::signal(SIGUSR2, before); });
                   return [] { ::raise(SIGUSR2); };
               }),
        unseen("pthread_sigmask",
               [] {
                   sigset_t all;
                   sigset_t before;
                   ::sigfillset(&all);
                   ::pthread_sigmask(SIG_BLOCK, &all, &before);
                   ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
               }),
        unseen("sched_getaffinity and sched_getcpu",
               [] {
                   cpu_set_t all;
                   ::sched_getaffinity(0, sizeof all, &all);
                   ::sched_getcpu();
               }),
    };
}

}  // namespace coir::test
