#pragma once

#include "base/unique_fd.hpp"

#include <filesystem>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>

namespace coir::test {

using detail::unique_fd;

/// A result of a system call that made what a test needs. Throws where it failed.
int must(int result);

/// Two ends of a pipe or a pair of sockets: the fiber's, and the other.
struct two_ends {
    unique_fd ours;
    unique_fd theirs;
};

two_ends sockets(int type = SOCK_STREAM);
two_ends pipe_to_read();
two_ends pipe_to_write();
/// A terminal: the fiber has the program's side.
two_ends terminal();

void put(int fd, std::string_view text = "x");
/// Until there is no room. The descriptor is blocking again in the end.
void fill(int fd);
/// All that is there, without waiting.
void drain(int fd);
void set_nonblocking(int fd, bool on = true);

/// Of the loopback, at a free port.
struct listener {
    explicit listener(int backlog = 8, int type = SOCK_STREAM);

    [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&where); }
    [[nodiscard]] int port() const { return ntohs(where.sin_port); }

    sockaddr_in where{};
    socklen_t length = sizeof where;
    unique_fd fd;
};

/// Accepts who has called, reads what was said and answers. Nothing to say: closes the connection.
void answer(const listener& server, std::string_view text, unique_fd& connection);

/// A folder that goes with all that is in it.
struct folder {
    folder();
    ~folder();
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    [[nodiscard]] std::string file(const char* name) const { return (path / name).string(); }

    std::filesystem::path path;
};

/// A file of 64 KiB that has no name.
unique_fd nameless_file();

/// A child that ends when it is killed. Somebody has to wait for it.
pid_t child();

/// Standard input comes from elsewhere while this lives.
class other_input {
public:
    explicit other_input(int fd);
    ~other_input();
    other_input(const other_input&) = delete;
    other_input& operator=(const other_input&) = delete;

private:
    unique_fd before_;
};

}  // namespace coir::test
