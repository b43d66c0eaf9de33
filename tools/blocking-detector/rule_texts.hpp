#pragma once

#include "rules.hpp"

#include <array>

namespace detector {

inline constexpr std::array<rule, 11> rule_texts{{
    {.id = "BD001",
     .name = "sleep",
     .category = coir::blocking_class::sleep,
     .title = "a fiber sleeps, and its thread with it",
     .meaning = "A fiber called nanosleep, usleep, std::this_thread::sleep_for or one of their kind. They put the "
                "thread to sleep, not the fiber.",
     .harm = "All fibers of the thread stand still for as long: connections wait, timers are late. A hundred fibers "
             "that sleep for 10 ms each take a second, one after the other.",
     .remedy = "Use coir::this_fiber::sleep_for or sleep_until: the fiber waits, the others run, and a stop ends it "
               "early. If it waits for something to happen, wait for that: a coir::event or a coir::channel.",
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
                "thread slept until the peer answered. Often it is a client library that does so.",
     .harm = "One slow peer holds up all others. That passes unseen on a fast network in a test, and stops a server "
             "in production.",
     .remedy = "Use coir::net::tcp_stream and tcp_listener. With a library that has a non-blocking mode, wait in "
               "coir::io::wait_readable and wait_writable; call one that has none in coir::offload.",
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
     .title = "a fiber waits for a pipe, a terminal or a descriptor like them",
     .meaning = "A fiber read from or wrote to a pipe, FIFO, terminal, eventfd or their like without O_NONBLOCK, and "
                "the thread slept until there was data, or room for it.",
     .harm = "The other end decides how long: a person who types, or a process that may itself wait for this one. "
             "Then both stand still for ever.",
     .remedy = "Open the descriptor with O_NONBLOCK and use coir::io::read_some and write_all. What reads it by "
               "itself, as std::cin does, goes into coir::offload.",
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
     .meaning = "A fiber wrote a file back with fsync or its like, or read and wrote one that was not in memory. For "
                "a file there is no non-blocking mode: O_NONBLOCK does nothing.",
     .harm = "An fsync takes milliseconds on a good day, and seconds while something else writes. The thread's "
             "fibers wait with it.",
     .remedy = "Do it in coir::offload: a thread of the pool waits, and only this fiber with it. Several small "
               "steps belong in one call.",
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
     .meaning = "A fiber waited for a std::mutex that was taken, a std::condition_variable, std::future or "
                "std::thread, or for flock. One that was free at once is not reported.",
     .harm = "The thread sleeps until another one lets go. If a fiber of the same thread holds the lock, it can "
             "never run to let go: the program hangs for good.",
     .remedy = "Between fibers of one thread use coir::mutex, condition_variable, event or channel. Wait for other "
               "threads with coir::offload in place of std::async and std::thread. A std::mutex that threads share is "
               "held for a moment only, and never across a suspension.",
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
     .meaning = "A fiber called system, waitpid, pclose or their like, and the thread slept until the child ended, "
                "or, in vfork and posix_spawn, until it had begun.",
     .harm = "The thread's fibers stand still for as long as a whole program runs.",
     .remedy = "Start and await it in coir::offload.",
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
     .meaning = "A fiber waited for descriptors with a time limit other than zero: by its own loop, or in a client "
                "library that waits for its socket so.",
     .harm = "A second event loop inside the first: while it waits, no fiber of the thread runs, not even the one "
             "that it waits for.",
     .remedy = "Wait for one descriptor with coir::io::wait_readable or wait_writable; for several, with a fiber for "
               "each, or coir::first_of. A limit of zero only asks, and is fine.",
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
     .meaning = "A fiber called pause, sigwait, sigsuspend or their like, and the thread slept until a signal came.",
     .harm = "No fiber of the thread runs until then, which may be never.",
     .remedy = "Use coir::signal_set: the fiber waits, and the others run.",
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
     .meaning = "A fiber used the processor for longer than the threshold and neither waited nor yielded. The stack "
                "is where it was seen, and not always where the time goes. Time that other programs took from the "
                "thread does not count.",
     .harm = "Fibers take turns only where they wait. Until then nothing else on the thread moves: no connection, no "
             "timer.",
     .remedy = "Compute in coir::offload, on another core. If the work needs this thread, cut it into pieces with "
               "coir::this_fiber::yield between them.",
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
     .meaning = "A fiber called getaddrinfo, gethostbyname, getnameinfo or their like: they read files, ask servers, "
                "and wait for the answers.",
     .harm = "Quick while the name server is near and well. When it is not, each look-up takes seconds, five by "
             "default for every server that does not answer.",
     .remedy = "Use coir::net::resolve, or coir::net::tcp_stream::connect with a host name. A library that looks up "
               "names by itself is given addresses, or is called in coir::offload.",
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
     .title = "a fiber sleeps in a call that no other rule is about",
     .meaning = "A fiber's thread slept in the kernel: it opened a FIFO or a file on a slow file system, removed or "
                "renamed one, spoke to a device, loaded a library, or had to wait for memory.",
     .harm = "The fibers of the thread stand still for as long. How long is up to the kernel and the device.",
     .remedy = "Do it in coir::offload, or once at the start, before there are other fibers.",
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
