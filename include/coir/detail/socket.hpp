#pragma once

#include <sys/socket.h>

#include <coir/deadline.hpp>
#include <coir/detail/owner.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

namespace coir::detail {

class scheduler;
enum class direction : std::uint8_t;

/// What it means when recv(2) has given less than it was asked for. TCP gives what there is. A Unix socket stops behind
/// the byte that a descriptor came with, and there may be more.
enum class short_read : std::uint8_t { means_empty, means_nothing };

/// A non-blocking socket that the library owns: what streams, listeners and the like are made of. It comes to belong to
/// the scheduler whose fiber first uses it, is registered there once, and may outlive it. Each call throws
/// `not_in_fiber`, `wrong_scheduler`, `cancelled` and `scope_expired`; all other failures are in `ec`.
class socket {
public:
    socket() noexcept = default;
    explicit socket(int fd, short_read when_short = short_read::means_empty) noexcept
        : fd_{fd}, when_short_{when_short} {}
    socket(socket&& other) noexcept;
    socket& operator=(socket&& other) noexcept;
    ~socket();

    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// Ends the waits of other fibers in here with `operation_canceled`.
    void close() noexcept;

    /// Gives the descriptor away, open as it is; -1 when there is none.
    int release() noexcept;

    /// One recv(2) that got something, or the end of the stream: 0.
    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec, const char* operation);

    /// Until `into` is full or the stream ends; how much was read, also in front of an error.
    std::size_t receive_all(std::span<std::byte> into, const deadline& until, std::error_code& ec,
                            const char* operation);

    /// One send(2) that took something.
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                     const char* operation);

    /// One recvmsg(2) that got a message, or the end; one sendmsg(2) that took one. The number of bytes.
    std::size_t receive(msghdr& into, const deadline& until, std::error_code& ec, const char* operation);
    std::size_t send(const msghdr& from, const deadline& until, std::error_code& ec, const char* operation);

    /// One recvmmsg(2) that got messages; one sendmmsg(2) that took some. How many.
    std::size_t receive(std::span<mmsghdr> into, const deadline& until, std::error_code& ec, const char* operation);
    std::size_t send(std::span<mmsghdr> from, const deadline& until, std::error_code& ec, const char* operation);

    /// Until all is taken; how much was, also in front of an error.
    std::size_t send_all(std::span<const std::byte> from, const deadline& until, std::error_code& ec,
                         const char* operation);

    /// The next connection of a listening socket, as a non-blocking descriptor; -1 with `ec`.
    int accept(const deadline& until, std::error_code& ec, const char* operation);

    /// Sleeps inside the socket: for a listener that has to wait for something else than connections.
    void rest(deadline until);

    /// connect(2), to its end.
    void connect(const sockaddr* to, socklen_t size, const deadline& until, std::error_code& ec, const char* operation);

private:
    class visit;
    template <class Attempt>
    long complete(direction towards, const deadline& until, std::error_code& ec, const char* operation,
                  Attempt attempt);
    template <class Call>
    std::size_t receive_by(Call call, const deadline& until, std::error_code& ec, const char* operation);
    template <class Call>
    std::size_t send_by(Call call, const deadline& until, std::error_code& ec, const char* operation);
    std::error_code admit(scheduler& here, const char* operation);
    std::error_code wait(scheduler& here, direction towards, const deadline& until);
    std::error_code let_others_run(scheduler& here, direction towards);
    bool is_visited(direction towards, std::error_code& ec) const noexcept;
    void check_unvisited() const noexcept;

    int fd_ = -1;
    short_read when_short_ = short_read::means_empty;
    owner owner_;
    // Fibers that are suspended in a call: while there are any, the socket stays where it is.
    std::uint32_t visitors_[2] = {0, 0};  // by direction
};

}  // namespace coir::detail
