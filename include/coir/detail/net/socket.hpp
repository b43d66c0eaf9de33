#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/io/polled_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/socket.h>
#include <system_error>

namespace coir::detail {

struct descriptor;

/// What it means if recv(2) returns less than was requested. TCP returns all that is there, so the socket is empty. A
/// Unix socket stops after the byte that a descriptor is attached to, and more data may follow.
enum class short_read : std::uint8_t { means_empty, means_nothing };

/// A non-blocking socket that the library owns: the base of streams, listeners and datagram sockets.
class socket : public polled_fd {
public:
    socket() noexcept = default;
    explicit socket(int fd, short_read when_short = short_read::means_empty) noexcept
        : polled_fd{fd}, when_short_{when_short} {}
    explicit socket(int listening, sharing with) noexcept : polled_fd{listening, with} {}

    /// Waits for one successful recv(2), and returns the number of bytes; 0 at the end of the stream.
    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec, const char* operation);

    /// Waits for one successful send(2), and returns the number of bytes.
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                     const char* operation);

    /// As above without waiting: -errno for an error, -EAGAIN if there is nothing to read or no room.
    long try_receive(descriptor& at, std::span<std::byte> into) noexcept;
    long try_send(descriptor& at, std::span<const std::byte> from) noexcept;

    /// Wait for one successful recvmsg(2) or sendmsg(2), and return the number of bytes.
    std::size_t receive(msghdr& into, const deadline& until, std::error_code& ec, const char* operation);
    std::size_t send(const msghdr& from, const deadline& until, std::error_code& ec, const char* operation);

    /// Wait for one successful recvmmsg(2) or sendmmsg(2), and return the number of messages.
    std::size_t receive(std::span<mmsghdr> into, const deadline& until, std::error_code& ec, const char* operation);
    std::size_t send(std::span<mmsghdr> from, const deadline& until, std::error_code& ec, const char* operation);

    /// Calls sendfile(2) in a thread for files until `count` bytes are sent, the file ends, or the socket has
    /// no more room. Returns the number of bytes.
    std::size_t send_file(int file, std::uint64_t offset, std::size_t count, const deadline& until, std::error_code& ec,
                          const char* operation);

    /// Waits for a connection of a listening socket, and returns it as a non-blocking descriptor; -1 with `ec`.
    int accept(const deadline& until, std::error_code& ec, const char* operation);

    /// Lets calls of `accept` that would wait fail with `operation_canceled`, also those that are suspended; the socket
    /// stays open, so that `serve` can accept the connections that already wait.
    void drain() noexcept {
        draining_ = true;
        interrupt();
    }
    [[nodiscard]] bool is_draining() const noexcept { return draining_; }

    /// Sleeps, and counts as a suspended call on the socket meanwhile. For waits for something other than the socket.
    void pause(direction towards, deadline until);

    /// Calls connect(2) and waits until it has succeeded or failed.
    void connect(const sockaddr* to, socklen_t size, const deadline& until, std::error_code& ec, const char* operation);

private:
    short_read when_short_ = short_read::means_empty;
    bool draining_ = false;
};

}  // namespace coir::detail
