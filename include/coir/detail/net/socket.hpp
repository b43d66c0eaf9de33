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

/// What it means when recv(2) has given less than it was asked for. TCP gives what there is. A Unix socket stops behind
/// the byte that a descriptor came with, and there may be more.
enum class short_read : std::uint8_t { means_empty, means_nothing };

/// A non-blocking socket that the library owns: what streams, listeners and the like are made of.
class socket : public polled_fd {
public:
    socket() noexcept = default;
    explicit socket(int fd, short_read when_short = short_read::means_empty) noexcept
        : polled_fd{fd}, when_short_{when_short} {}
    explicit socket(int listening, sharing with) noexcept : polled_fd{listening, with} {}

    /// One recv(2) that got something, or the end of the stream: 0.
    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec, const char* operation);

    /// One send(2) that took something.
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                     const char* operation);

    /// The same without waiting: -EAGAIN where nothing is there, or no room.
    long try_receive(descriptor& at, std::span<std::byte> into) noexcept;
    long try_send(descriptor& at, std::span<const std::byte> from) noexcept;

    /// One recvmsg(2) that got a message, or the end; one sendmsg(2) that took one. The number of bytes.
    std::size_t receive(msghdr& into, const deadline& until, std::error_code& ec, const char* operation);
    std::size_t send(const msghdr& from, const deadline& until, std::error_code& ec, const char* operation);

    /// One recvmmsg(2) that got messages; one sendmmsg(2) that took some. How many.
    std::size_t receive(std::span<mmsghdr> into, const deadline& until, std::error_code& ec, const char* operation);
    std::size_t send(std::span<mmsghdr> from, const deadline& until, std::error_code& ec, const char* operation);

    /// sendfile(2) in a thread of the offload pool, until `count` bytes are sent or the socket takes no more.
    std::size_t send_file(int file, std::uint64_t offset, std::size_t count, const deadline& until, std::error_code& ec,
                          const char* operation);

    /// The next connection of a listening socket, as a non-blocking descriptor; -1 with `ec`.
    int accept(const deadline& until, std::error_code& ec, const char* operation);

    /// Ends the waits of `accept` with `operation_canceled`; the socket stays open, for `serve` to take what has come.
    void drain() noexcept {
        draining_ = true;
        interrupt();
    }
    [[nodiscard]] bool is_draining() const noexcept { return draining_; }

    /// Sleeps inside the socket: for what has to wait for something else than the socket itself.
    void pause(direction towards, deadline until);

    /// connect(2), to its end.
    void connect(const sockaddr* to, socklen_t size, const deadline& until, std::error_code& ec, const char* operation);

private:
    short_read when_short_ = short_read::means_empty;
    bool draining_ = false;
};

}  // namespace coir::detail
