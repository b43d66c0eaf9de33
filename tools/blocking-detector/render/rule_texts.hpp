#pragma once

#include "render/rules.hpp"

#include <array>

namespace detector {

inline constexpr std::array<rule, 11> rule_texts{{
    {.id = "BD001",
     .name = "sleep",
     .category = coir::blocking_class::sleep,
     .title = "a fiber puts its whole thread to sleep",
     .meaning = "A fiber called nanosleep, usleep, std::this_thread::sleep_for or a similar function. These functions "
                "put the thread to sleep, not only the fiber.",
     .harm = "No other fiber of the thread runs during the sleep: connections wait, timers are late. A hundred fibers "
             "that sleep for 10 ms each need a second, one after the other.",
     .remedy = "Use coir::this_fiber::sleep_for or sleep_until: only the fiber waits, and a stop ends the sleep early. "
               "If the fiber waits for an event, wait for that event with coir::event or coir::channel.",
     .before = R"cpp(void back_off() {
    std::this_thread::sleep_for(100ms);
}
)cpp",
     .after = R"cpp(void back_off() {
    coir::this_fiber::sleep_for(100ms);
}
)cpp"},

    {.id = "BD002",
     .name = "network",
     .category = coir::blocking_class::network,
     .title = "a fiber waits for the network in a blocking socket call",
     .meaning = "A fiber called connect, accept, recv, send, read or write on a socket without O_NONBLOCK, and the "
                "thread slept until the peer answered. Often a client library makes the call.",
     .harm = "One slow peer delays all other connections. A test on a fast network does not show that, but it stops a "
             "server in production.",
     .remedy = "Use coir::net::tcp_stream and tcp_listener. If a library has a non-blocking mode, use that mode and "
               "wait with coir::io::wait_readable and wait_writable. If it has none, call it in coir::offload.",
     .before = R"cpp(std::string greeting_of(int peer) {
    std::array<char, 64> buffer;
    const ssize_t n = recv(peer, buffer.data(), buffer.size(), 0);
    return {buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}
)cpp",
     .after = R"cpp(std::string greeting_of(coir::net::tcp_stream& peer) {
    std::array<char, 64> buffer;
    const std::size_t n = peer.read_some(std::as_writable_bytes(std::span{buffer}), 5s);
    return {buffer.data(), n};
}
)cpp"},

    {.id = "BD003",
     .name = "pipe-tty",
     .category = coir::blocking_class::pipe,
     .title = "a fiber waits for a pipe, a terminal or a similar descriptor",
     .meaning = "A fiber read from or wrote to a pipe, FIFO, terminal, eventfd or a similar descriptor without "
                "O_NONBLOCK. The thread slept until there was data, or space for data.",
     .harm = "The other end determines how long the call takes: a user at a terminal, or a process that may wait for "
             "this one. In the latter case both hang.",
     .remedy = "Open the descriptor with O_NONBLOCK and use coir::io::read_some and write_all. Code that reads the "
               "descriptor internally, such as std::cin, belongs in coir::offload.",
     .before = R"cpp(std::size_t take(int pipe, std::span<std::byte> into) {
    const ssize_t n = read(pipe, into.data(), into.size());
    return n > 0 ? static_cast<std::size_t>(n) : 0;
}
)cpp",
     .after = R"cpp(std::size_t take(int pipe, std::span<std::byte> into) {  // made by pipe2(..., O_NONBLOCK)
    return coir::io::read_some(pipe, into);
}
)cpp"},

    {.id = "BD004",
     .name = "disk",
     .category = coir::blocking_class::disk,
     .title = "a fiber waits for the disk",
     .meaning = "A fiber called fsync or a similar function, or accessed a file that was not in the page cache. Files "
                "have no non-blocking mode: O_NONBLOCK has no effect on them.",
     .harm = "An fsync takes milliseconds on an idle disk, and seconds while other programs write. All fibers of the "
             "thread wait for it.",
     .remedy = "Do it in coir::offload: a thread of the pool waits, and only this fiber waits for it. Put several "
               "small steps into one call.",
     .before = R"cpp(void save(const std::string& path, const std::string& text) {
    std::ofstream{path} << text;
}
)cpp",
     .after = R"cpp(void save(const std::string& path, const std::string& text) {
    coir::offload([&] { std::ofstream{path} << text; });
}
)cpp"},

    {.id = "BD005",
     .name = "lock",
     .category = coir::blocking_class::lock,
     .title = "a fiber waits for a lock, a thread or a semaphore of the system",
     .meaning = "A fiber waited for a locked std::mutex, a std::condition_variable, a std::future, a std::thread or "
                "flock. A lock that was free is not reported.",
     .harm = "The thread sleeps until the lock is released. If a fiber of the same thread holds the lock, that fiber "
             "cannot run to release it: the program hangs.",
     .remedy = "Between fibers of one thread use coir::mutex, condition_variable, event or channel. To wait for work "
               "in other threads, use coir::offload instead of std::async and std::thread. Hold a std::mutex that "
               "threads share only for a short time, and never across a suspension.",
     .before = R"cpp(std::mutex gate;

void enter() {
    const std::scoped_lock lock{gate};
    coir::this_fiber::sleep_for(10ms);  // the next fiber at the gate stops the thread
}
)cpp",
     .after = R"cpp(coir::mutex gate;

void enter() {
    const std::scoped_lock lock{gate};
    coir::this_fiber::sleep_for(10ms);
}
)cpp"},

    {.id = "BD006",
     .name = "process",
     .category = coir::blocking_class::process,
     .title = "a fiber waits for another process",
     .meaning = "A fiber called system, waitpid, pclose or a similar function. The thread slept until the child ended, "
                "or, in vfork and posix_spawn, until the child had started its program.",
     .harm = "No other fiber of the thread runs during that time, which may be the run of a whole program.",
     .remedy = "Use coir::run_process or coir::process, or call the function in coir::offload.",
     .before = R"cpp(int compress(const std::string& file) {
    return std::system(("gzip " + file).c_str());
}
)cpp",
     .after = R"cpp(int compress(const std::string& file) {
    return coir::offload([&] { return std::system(("gzip " + file).c_str()); });
}
)cpp"},

    {.id = "BD007",
     .name = "poll",
     .category = coir::blocking_class::poll,
     .title = "a fiber waits in poll, select or epoll_wait",
     .meaning = "A fiber waited for descriptors with a time limit other than zero: in its own loop, or in a client "
                "library that waits for its socket.",
     .harm = "The call is a second event loop inside coir's. While it waits, no fiber of the thread runs, not even a "
             "fiber whose data the call waits for.",
     .remedy = "Wait for one descriptor with coir::io::wait_readable or wait_writable, and for several with a fiber "
               "for each, or with coir::first_of. A call with the time limit zero does not wait and is not reported.",
     .before = R"cpp(bool has_data(int fd) {
    pollfd wanted{fd, POLLIN, 0};
    return poll(&wanted, 1, 1000) > 0;
}
)cpp",
     .after = R"cpp(bool has_data(int fd) {
    std::error_code ec;
    coir::io::wait_readable(fd, 1s, ec);
    return !ec;
}
)cpp"},

    {.id = "BD008",
     .name = "signal",
     .category = coir::blocking_class::signal,
     .title = "a fiber waits for a signal",
     .meaning = "A fiber called pause, sigwait, sigsuspend or a similar function. The thread slept until a signal "
                "arrived.",
     .harm = "No fiber of the thread runs until a signal arrives, which may never happen.",
     .remedy = "Use coir::signal_set: only this fiber waits, and the others run.",
     .before = R"cpp(int interrupted() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    int caught = 0;
    sigwait(&wanted, &caught);
    return caught;
}
)cpp",
     .after = R"cpp(int interrupted() {
    coir::signal_set interrupt{SIGINT};
    return interrupt.wait();
}
)cpp"},

    {.id = "BD009",
     .name = "cpu-hog",
     .category = coir::blocking_class::cpu,
     .title = "a fiber computes for long without letting others run",
     .meaning = "A fiber used the processor for longer than the threshold and neither waited nor yielded. The stack is "
                "one sample, and not necessarily where most of the time is spent. Only CPU time of the thread counts, "
                "so a busy machine does not cause this finding.",
     .harm = "A fiber lets others run only when it waits or yields. Until then no other fiber of the thread runs, and "
             "no connection and no timer is served.",
     .remedy = "Compute in coir::offload, on another core. If the work must run on this thread, split it into parts "
               "and call coir::this_fiber::yield between them.",
     .before = R"cpp(double sum(const std::vector<double>& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}
)cpp",
     .after = R"cpp(double sum(const std::vector<double>& numbers) {
    return coir::offload([&] { return std::accumulate(numbers.begin(), numbers.end(), 0.0); });
}
)cpp"},

    {.id = "BD010",
     .name = "name-resolution",
     .category = coir::blocking_class::dns,
     .title = "a fiber looks up a name",
     .meaning = "A fiber called getaddrinfo, gethostbyname, getnameinfo or a similar function. These functions read "
                "files, send requests to name servers and wait for the answers.",
     .harm = "A look-up is fast only while the name server works. Otherwise it takes seconds: by default five for each "
             "server that does not answer.",
     .remedy = "Use coir::net::resolve, or coir::net::tcp_stream::connect with a host name. If a library looks up "
               "names internally, pass it addresses, or call it in coir::offload.",
     .before = R"cpp(bool exists(const std::string& host) {
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), "https", nullptr, &found) != 0) return false;
    freeaddrinfo(found);
    return true;
}
)cpp",
     .after = R"cpp(bool exists(const std::string& host) {
    std::error_code ec;
    return !coir::net::resolve(host, "https", 5s, ec).empty();
}
)cpp"},

    {.id = "BD011",
     .name = "other",
     .category = coir::blocking_class::other,
     .title = "a fiber sleeps in a call that no other rule covers",
     .meaning = "The thread of a fiber slept in the kernel: the fiber opened a FIFO or a file on a slow file system, "
                "removed or renamed a file, accessed a device, loaded a library, or waited for memory.",
     .harm =
         "No other fiber of the thread runs during the call. The kernel and the device determine how long it takes.",
     .remedy = "Do it in coir::offload, or at the start of the program, before there are other fibers.",
     .before = R"cpp(int open_journal(const char* fifo) {
    return open(fifo, O_WRONLY | O_CLOEXEC);  // waits for a reader
}
)cpp",
     .after = R"cpp(int open_journal(const char* fifo) {
    return coir::offload([=] { return open(fifo, O_WRONLY | O_CLOEXEC); });
}
)cpp"},
}};

}  // namespace detector
