#include "corpus/props.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <stdio_ext.h>
#include <stdlib.h>
#include <system_error>
#include <termios.h>
#include <unistd.h>

namespace coir::test {

int must(int result) {
    if (result < 0) throw std::system_error{errno, std::generic_category(), "a prop of the corpus"};
    return result;
}

two_ends sockets(int type) {
    std::array<int, 2> fds{};
    must(::socketpair(AF_UNIX, type, 0, fds.data()));
    return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

two_ends pipe_to_read() {
    std::array<int, 2> fds{};
    must(::pipe(fds.data()));
    return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

two_ends pipe_to_write() {
    two_ends made = pipe_to_read();
    std::swap(made.ours, made.theirs);
    return made;
}

two_ends terminal() {
    unique_fd keyboard{must(::posix_openpt(O_RDWR | O_NOCTTY))};
    must(::grantpt(keyboard.get()));
    must(::unlockpt(keyboard.get()));
    std::array<char, 64> name{};
    must(-::ptsname_r(keyboard.get(), name.data(), name.size()));
    unique_fd programs{must(::open(name.data(), O_RDWR | O_NOCTTY))};
    return {std::move(programs), std::move(keyboard)};
}

void put(int fd, std::string_view text) { must(static_cast<int>(::write(fd, text.data(), text.size()))); }

void set_nonblocking(int fd, bool on) {
    const int flags = must(::fcntl(fd, F_GETFL));
    must(::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

void fill(int fd) {
    constexpr std::array<char, 4096> page{};
    set_nonblocking(fd);
    for (std::size_t size = page.size(); size > 0; size /= 2) {
        while (::write(fd, page.data(), size) > 0) {
        }
    }
    set_nonblocking(fd, false);
}

void drain(int fd) {
    std::array<char, 4096> page{};
    set_nonblocking(fd);
    while (::read(fd, page.data(), page.size()) > 0) {
    }
    set_nonblocking(fd, false);
}

listener::listener(int backlog, int type) : fd{must(::socket(AF_INET, type, 0))} {
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(::bind(fd.get(), address(), sizeof where));
    must(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where), &length));
    if (type == SOCK_STREAM) must(::listen(fd.get(), backlog));
}

void answer(const listener& server, std::string_view text, unique_fd& connection) {
    connection = unique_fd{must(::accept(server.fd.get(), nullptr, nullptr))};
    drain(connection.get());
    if (text.empty())
        connection = {};
    else
        put(connection.get(), text);
}

folder::folder() {
    std::string name = (std::filesystem::temp_directory_path() / "coir-corpus-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) must(-1);
    path = name;
}

folder::~folder() { std::filesystem::remove_all(path); }

unique_fd nameless_file() {
    std::string name = (std::filesystem::temp_directory_path() / "coir-corpus-XXXXXX").string();
    unique_fd file{must(::mkstemp(name.data()))};
    ::unlink(name.c_str());
    constexpr std::array<char, 65536> content{};
    must(static_cast<int>(::write(file.get(), content.data(), content.size())));
    return file;
}

pid_t child() {
    const pid_t made = must(::fork());
    if (made == 0) {
        ::alarm(60);  // ends it even if its parent has died
        for (;;) ::pause();
    }
    return made;
}

other_input::other_input(int fd) : before_{must(::dup(STDIN_FILENO))} { must(::dup2(fd, STDIN_FILENO)); }

other_input::~other_input() {
    ::dup2(before_.get(), STDIN_FILENO);
    std::cin.clear();
    std::clearerr(stdin);
    ::__fpurge(stdin);
}

}  // namespace coir::test
