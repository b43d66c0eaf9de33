#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace coir::test {

namespace {

using of = blocking_class;

int ready_pipe(stage& on) {
    auto& ends = on.keep<two_ends>(pipe_to_read());
    put(ends.theirs.get(), "line\n");
    return ends.ours.get();
}

int ready_socket(stage& on) {
    auto& ends = on.keep<two_ends>(sockets());
    put(ends.theirs.get());
    return ends.ours.get();
}

int free_file(stage& on) { return on.keep<unique_fd>(nameless_file()).get(); }

pid_t dead_child() {
    const pid_t dead = child();
    ::kill(dead, SIGKILL);
    siginfo_t what;
    ::waitid(P_PID, static_cast<id_t>(dead), &what, WEXITED | WNOWAIT);
    return dead;
}

std::array<char, 64> bytes{};

}  // namespace

table lucky() {
    return {
        latent("read of a pipe that has something", of::pipe, {"read"},
               [](stage& on) { return [fd = ready_pipe(on)] { std::ignore = ::read(fd, bytes.data(), 1); }; }),
        latent("write to a pipe that has room", of::pipe, {"write"},
               [](stage& on) {
                   auto& ends = on.keep<two_ends>(pipe_to_write());
                   return [&] { std::ignore = ::write(ends.ours.get(), "x", 1); };
               }),
        latent("read of an eventfd that is raised", of::pipe, {"eventfd_read"},
               [](stage& on) {
                   return [fd = on.keep<unique_fd>(must(::eventfd(1, 0))).get()] {
                       eventfd_t value;
                       ::eventfd_read(fd, &value);
                   };
               }),
        latent("std::getline of std::cin, of what is there", of::pipe, {"read"},
               [](stage& on) {
                   on.keep<other_input>(ready_pipe(on));
                   return [] {
                       std::string line;
                       std::getline(std::cin, line);
                   };
               }),
        latent("recv of what is there", of::network, {"recv", "recvfrom"},
               [](stage& on) { return [fd = ready_socket(on)] { ::recv(fd, bytes.data(), 1, 0); }; }),
        latent("readv of what is there", of::network, {"readv"},
               [](stage& on) {
                   return [fd = ready_socket(on)] {
                       const iovec part{bytes.data(), bytes.size()};
                       std::ignore = ::readv(fd, &part, 1);
                   };
               }),
        latent("send with room", of::network, {"send", "sendto"},
               [](stage& on) { return [fd = ready_socket(on)] { ::send(fd, "x", 1, 0); }; }),
        latent("accept of who has called", of::network, {"accept"},
               [](stage& on) {
                   auto& server = on.keep<listener>();
                   auto& client = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_STREAM, 0)));
                   must(::connect(client.get(), server.address(), server.length));
                   return [&] { const unique_fd peer{::accept(server.fd.get(), nullptr, nullptr)}; };
               }),
        latent("connect over the loopback", of::network, {"connect"},
               [](stage& on) {
                   auto& server = on.keep<listener>();
                   auto& client = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_STREAM, 0)));
                   return [&] { std::ignore = ::connect(client.get(), server.address(), server.length); };
               }),
        latent("poll of what is ready", of::poll, {"poll", "ppoll"},
               [](stage& on) {
                   return [what = pollfd{ready_pipe(on), POLLIN, 0}]() mutable { ::poll(&what, 1, -1); };
               }),
        latent("select of what is ready", of::poll, {"select", "pselect"},
               [](stage& on) {
                   return [fd = ready_pipe(on)] {
                       fd_set what;
                       FD_ZERO(&what);
                       FD_SET(fd, &what);
                       ::select(fd + 1, &what, nullptr, nullptr, nullptr);
                   };
               }),
        latent("epoll_wait of what is ready", of::poll, {"epoll_wait", "epoll_pwait"},
               [](stage& on) {
                   const int epoll = on.keep<unique_fd>(must(::epoll_create1(0))).get();
                   epoll_event what{.events = EPOLLIN, .data = {}};
                   must(::epoll_ctl(epoll, EPOLL_CTL_ADD, ready_pipe(on), &what));
                   return [epoll] {
                       epoll_event found;
                       ::epoll_wait(epoll, &found, 1, -1);
                   };
               }),
        latent("flock of a file that nobody has", of::lock, {"flock"},
               [](stage& on) { return [fd = free_file(on)] { ::flock(fd, LOCK_EX); }; }),
        latent("fcntl(F_SETLKW) of a file that nobody has", of::lock, {"fcntl"},
               [](stage& on) {
                   return [fd = free_file(on)] {
                       struct flock lock {};
                       lock.l_type = F_WRLCK;
                       ::fcntl(fd, F_SETLKW, &lock);
                   };
               }),
        latent("semop with a permit", of::lock, {"semop", "semtimedop"},
               [](stage& on) {
                   const int id = must(::semget(IPC_PRIVATE, 1, 0600));
                   on.finally([id] { ::semctl(id, 0, IPC_RMID); });
                   sembuf up{0, 1, 0};
                   must(::semop(id, &up, 1));
                   return [id] {
                       sembuf down{0, -1, 0};
                       ::semop(id, &down, 1);
                   };
               }),
        latent("msgrcv of what is there", of::lock, {"msgrcv"},
               [](stage& on) {
                   struct message {
                       long kind = 1;
                       char text = 'x';
                   };
                   const int id = must(::msgget(IPC_PRIVATE, 0600));
                   on.finally([id] { ::msgctl(id, IPC_RMID, nullptr); });
                   const message sent;
                   must(::msgsnd(id, &sent, 1, 0));
                   return [id] {
                       message got;
                       ::msgrcv(id, &got, 1, 0, 0);
                   };
               }),
        latent("waitpid of a child that has ended", of::process, {"waitpid", "wait4"},
               [](stage&) { return [dead = dead_child()] { ::waitpid(dead, nullptr, 0); }; }),
        latent("sigtimedwait of a signal that is there", of::signal, {"sigtimedwait"},
               [](stage& on) {
                   sigset_t one;
                   sigset_t before;
                   ::sigemptyset(&one);
                   ::sigaddset(&one, SIGUSR1);
                   ::pthread_sigmask(SIG_BLOCK, &one, &before);
                   on.finally([before] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });
                   ::pthread_kill(::pthread_self(), SIGUSR1);
                   return [one] { ::sigwaitinfo(&one, nullptr); };
               }),
        latent("std::thread::join of one that has ended", of::lock, {"pthread_join"},
               [](stage& on) {
                   std::atomic<pid_t> id = 0;
                   auto& made = on.keep<std::thread>([&] { id = ::gettid(); });
                   while (id == 0 || std::filesystem::exists("/proc/self/task/" + std::to_string(id))) ::usleep(1000);
                   return [&] { made.join(); };
               }),
    };
}

}  // namespace coir::test
