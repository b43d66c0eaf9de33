#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto network = blocking_class::network;
constexpr timeval limit{0, 30'000};

/// An empty socket that is written to after the fiber has waited.
int late(stage& on, int type = SOCK_STREAM) {
    auto& ends = on.keep<two_ends>(sockets(type));
    on.later([&] { put(ends.theirs.get()); });
    return ends.ours.get();
}

/// A socket whose buffer is full until the fiber has waited.
int full(stage& on) {
    auto& ends = on.keep<two_ends>(sockets());
    fill(ends.ours.get());
    on.later([&] { drain(ends.theirs.get()); });
    return ends.ours.get();
}

/// A listener without a pending connection.
int deserted_listener(stage& on) {
    auto& server = on.keep<listener>();
    auto& client = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_STREAM, 0)));
    on.later([&] { must(::connect(client.get(), server.address(), server.length)); });
    return server.fd.get();
}

struct unix_listener {
    unix_listener() {
        where.sun_family = AF_UNIX;
        std::strncpy(where.sun_path, place.file("socket").c_str(), sizeof where.sun_path - 1);
        must(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where));
        must(::listen(fd.get(), 0));
    }
    int connect(int client) const { return ::connect(client, reinterpret_cast<const sockaddr*>(&where), sizeof where); }

    folder place;
    sockaddr_un where{};
    unique_fd fd{must(::socket(AF_UNIX, SOCK_STREAM, 0))};
};

template <class Call> auto message(int fd, Call call) {
    return [fd, call] {
        std::array<char, 64> bytes{};
        iovec part{bytes.data(), bytes.size()};
        msghdr whole{};
        whole.msg_iov = &part;
        whole.msg_iovlen = 1;
        call(fd, whole);
    };
}

std::array<char, 64> bytes{};

}  // namespace

table on_sockets() {
    return {
        blocked("recv", network, {"recv", "recvfrom"},
                [](stage& on) { return [fd = late(on)] { ::recv(fd, bytes.data(), bytes.size(), 0); }; }),
        blocked("recv of a datagram", network, {"recv", "recvfrom"},
                [](stage& on) { return [fd = late(on, SOCK_DGRAM)] { ::recv(fd, bytes.data(), bytes.size(), 0); }; }),
        blocked("recv of all that is asked for", network, {"recv", "recvfrom"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(sockets());
                    put(ends.theirs.get());
                    on.later([&] { put(ends.theirs.get(), "yz"); });
                    return [&] { ::recv(ends.ours.get(), bytes.data(), 3, MSG_WAITALL); };
                }),
        blocked("recv that looks ahead", network, {"recv", "recvfrom"},
                [](stage& on) { return [fd = late(on)] { ::recv(fd, bytes.data(), 1, MSG_PEEK); }; }),
        blocked("recv up to SO_RCVTIMEO", network, {"recv", "recvfrom"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(sockets());
                    must(::setsockopt(ends.ours.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
                    return [&] { ::recv(ends.ours.get(), bytes.data(), 1, 0); };
                }),
        blocked("recv until the end of the stream", network, {"recv", "recvfrom"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(sockets());
                    on.later([&] { ends.theirs = {}; });
                    return [&] { ::recv(ends.ours.get(), bytes.data(), 1, 0); };
                }),
        blocked("recvfrom", network, {"recvfrom"},
                [](stage& on) {
                    auto& ours = on.keep<listener>(0, SOCK_DGRAM);
                    on.later([&] {
                        must(static_cast<int>(::sendto(ours.fd.get(), "x", 1, 0, ours.address(), ours.length)));
                    });
                    return [&] {
                        sockaddr_in from{};
                        socklen_t length = sizeof from;
                        ::recvfrom(ours.fd.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from),
                                   &length);
                    };
                }),
        blocked("recvmsg", network, {"recvmsg"},
                [](stage& on) { return message(late(on), [](int fd, msghdr& whole) { ::recvmsg(fd, &whole, 0); }); }),
        blocked("recvmmsg", network, {"recvmmsg"},
                [](stage& on) {
                    return message(late(on, SOCK_DGRAM), [](int fd, msghdr& whole) {
                        mmsghdr one{whole, 0};
                        ::recvmmsg(fd, &one, 1, 0, nullptr);
                    });
                }),
        blocked("read of a socket", network, {"read"},
                [](stage& on) { return [fd = late(on)] { std::ignore = ::read(fd, bytes.data(), 1); }; }),
        blocked("readv of a socket", network, {"readv"},
                [](stage& on) {
                    return [fd = late(on)] {
                        const iovec part{bytes.data(), bytes.size()};
                        std::ignore = ::readv(fd, &part, 1);
                    };
                }),
        blocked("syscall(SYS_recvfrom)", network, {"recvfrom"},
                [](stage& on) {
                    return [fd = late(on)] { ::syscall(SYS_recvfrom, fd, bytes.data(), 1, 0, nullptr, nullptr); };
                }),
        blocked("fgets of a socket", network, {"read"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(sockets());
                    on.later([&] { put(ends.theirs.get(), "line\n"); });
                    FILE* const file = ::fdopen(ends.ours.release(), "r");
                    on.finally([file] { std::fclose(file); });
                    return [file] { std::ignore = std::fgets(bytes.data(), bytes.size(), file); };
                }),
        blocked("send", network, {"send", "sendto"},
                [](stage& on) { return [fd = full(on)] { ::send(fd, bytes.data(), bytes.size(), 0); }; }),
        blocked("send up to SO_SNDTIMEO", network, {"send", "sendto"},
                [](stage& on) {
                    auto& ends = on.keep<two_ends>(sockets());
                    fill(ends.ours.get());
                    must(::setsockopt(ends.ours.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
                    return [&] { ::send(ends.ours.get(), bytes.data(), 1, 0); };
                }),
        blocked("sendmsg", network, {"sendmsg"},
                [](stage& on) { return message(full(on), [](int fd, msghdr& whole) { ::sendmsg(fd, &whole, 0); }); }),
        blocked("sendmmsg", network, {"sendmmsg"},
                [](stage& on) {
                    return message(full(on), [](int fd, msghdr& whole) {
                        mmsghdr one{whole, 0};
                        ::sendmmsg(fd, &one, 1, 0);
                    });
                }),
        blocked("write to a socket", network, {"write"},
                [](stage& on) { return [fd = full(on)] { std::ignore = ::write(fd, bytes.data(), bytes.size()); }; }),
        blocked("writev to a socket", network, {"writev"},
                [](stage& on) {
                    return [fd = full(on)] {
                        const iovec part{bytes.data(), bytes.size()};
                        std::ignore = ::writev(fd, &part, 1);
                    };
                }),
        blocked("sendfile to a socket", network, {"sendfile"},
                [](stage& on) {
                    auto& file = on.keep<unique_fd>(nameless_file());
                    return [fd = full(on), &file] {
                        off_t from = 0;
                        ::sendfile(fd, file.get(), &from, 1);
                    };
                }),
        blocked("accept", network, {"accept"},
                [](stage& on) {
                    return [fd = deserted_listener(on)] { const unique_fd peer{::accept(fd, nullptr, nullptr)}; };
                }),
        blocked("accept4", network, {"accept4"},
                [](stage& on) {
                    return [fd = deserted_listener(on)] { const unique_fd peer{::accept4(fd, nullptr, nullptr, 0)}; };
                }),
        blocked("connect to a unix socket whose queue is full", network, {"connect"},
                [](stage& on) {
                    auto& server = on.keep<unix_listener>();
                    auto& first = on.keep<unique_fd>(must(::socket(AF_UNIX, SOCK_STREAM, 0)));
                    auto& second = on.keep<unique_fd>(must(::socket(AF_UNIX, SOCK_STREAM, 0)));
                    must(server.connect(first.get()));
                    on.later([&] { const unique_fd peer{::accept(server.fd.get(), nullptr, nullptr)}; });
                    return [&] { server.connect(second.get()); };
                }),
        blocked("connect to a port whose queue is full", network, {"connect"},
                [](stage& on) {
                    auto& server = on.keep<listener>(0);
                    auto& first = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_STREAM, 0)));
                    auto& second = on.keep<unique_fd>(must(::socket(AF_INET, SOCK_STREAM, 0)));
                    must(::connect(first.get(), server.address(), server.length));
                    must(::setsockopt(second.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
                    return [&] { std::ignore = ::connect(second.get(), server.address(), server.length); };
                }),
    };
}

}  // namespace coir::test
