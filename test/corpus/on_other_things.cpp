#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto network = blocking_class::network;
constexpr auto other = blocking_class::other;

/// A FIFO whose other end another thread opens after the fiber has waited for it.
std::string lonely_fifo(stage& on) {
    auto& place = on.keep<folder>();
    const std::string name = place.file("fifo");
    must(::mkfifo(name.c_str(), 0600));
    auto& end = on.keep<unique_fd>();
    on.later([&end, name] { end = unique_fd{must(::open(name.c_str(), O_RDWR))}; });
    return name;
}

/// A file with a lease: opening or truncating it waits until the holder releases the lease, which it does on request.
std::string leased_file(stage& on) {
    auto& place = on.keep<folder>();
    const std::string name = place.file("leased");
    const int fd = on.keep<unique_fd>(must(::open(name.c_str(), O_CREAT | O_RDWR, 0600))).get();
    void (*const before)(int) = ::signal(SIGIO, SIG_IGN);
    on.finally([before] { ::signal(SIGIO, before); });
    must(::fcntl(fd, F_SETLEASE, F_WRLCK));
    on.later([fd] { must(::fcntl(fd, F_SETLEASE, F_UNLCK)); });
    return name;
}

/// A socket with unsent bytes that the peer does not receive until the fiber has waited.
int lingering_socket(stage& on) {
    auto& server = on.keep<listener>();
    auto& ends = on.keep<two_ends>(two_ends{unique_fd{must(::socket(AF_INET, SOCK_STREAM, 0))}, unique_fd{}});
    must(::connect(ends.ours.get(), server.address(), server.length));
    ends.theirs = unique_fd{must(::accept(server.fd.get(), nullptr, nullptr))};
    fill(ends.ours.get());
    const linger a_while{1, 5};
    must(::setsockopt(ends.ours.get(), SOL_SOCKET, SO_LINGER, &a_while, sizeof a_while));
    on.later([&] { drain(ends.theirs.get()); });
    return ends.ours.release();
}

}  // namespace

table on_other_things() {
    return {
        blocked(
            "open of a FIFO to read", other, {"open", "openat"},
            [](stage& on) { return [name = lonely_fifo(on)] { const unique_fd fd{::open(name.c_str(), O_RDONLY)}; }; }),
        blocked(
            "open of a FIFO to write", other, {"open", "openat"},
            [](stage& on) { return [name = lonely_fifo(on)] { const unique_fd fd{::open(name.c_str(), O_WRONLY)}; }; }),
        blocked("std::ifstream that waits for the other end of a FIFO", other, {"open", "openat"},
                [](stage& on) { return [name = lonely_fifo(on)] { const std::ifstream file{name}; }; }),
        blocked("fopen of a FIFO", other, {"open", "openat"},
                [](stage& on) { return [name = lonely_fifo(on)] { std::fclose(std::fopen(name.c_str(), "r")); }; }),
        blocked(
            "open of a file that another has leased", other, {"open", "openat"},
            [](stage& on) { return [name = leased_file(on)] { const unique_fd fd{::open(name.c_str(), O_RDONLY)}; }; }),
        blocked("truncate of a file that another has leased", other, {"truncate"},
                [](stage& on) { return [name = leased_file(on)] { std::ignore = ::truncate(name.c_str(), 1); }; }),
        blocked("close with SO_LINGER", network, {"close"},
                [](stage& on) { return [fd = lingering_socket(on)] { ::close(fd); }; }),
    };
}

}  // namespace coir::test
