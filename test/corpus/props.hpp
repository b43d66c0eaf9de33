#pragma once

#include "base/unique_fd.hpp"

#include <filesystem>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>

namespace coir::test {

using detail::unique_fd;

/// Returns the result of a system call that prepares a test. Throws if it failed.
int must(int result);

/// The two ends of a pipe or a socket pair: the fiber's, and the other.
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
/// Writes until there is no space. Afterwards the descriptor is blocking again.
void fill(int fd);
/// Reads all available data, without waiting.
void drain(int fd);
void set_nonblocking(int fd, bool on = true);

/// A listening socket on the loopback interface, with a free port.
struct listener {
    explicit listener(int backlog = 8, int type = SOCK_STREAM);

    [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&where); }
    [[nodiscard]] int port() const { return ntohs(where.sin_port); }

    sockaddr_in where{};
    socklen_t length = sizeof where;
    unique_fd fd;
};

/// Accepts the pending connection, reads the request and answers. With an empty answer, closes the connection.
void answer(const listener& server, std::string_view text, unique_fd& connection);

/// A folder; the destructor removes it with its content.
struct folder {
    folder();
    ~folder();
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    [[nodiscard]] std::string file(const char* name) const { return (path / name).string(); }

    std::filesystem::path path;
};

/// A file of 64 KiB without a name.
unique_fd nameless_file();

/// A child process that runs until it is killed. The test must wait for it.
pid_t child();

/// Replaces standard input during its lifetime.
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
