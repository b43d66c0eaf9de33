#pragma once

#include <coir/net/datagram.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <sys/socket.h>

namespace coir::detail {

/// The buffer and address of one datagram in the form of msghdr. Points into itself, so it must not be moved.
class datagram_header {
public:
    datagram_header() noexcept = default;
    datagram_header(const datagram_header&) = delete;
    datagram_header& operator=(const datagram_header&) = delete;

    void hold(std::span<const std::byte> bytes, msghdr& header) noexcept {
        part_ = {const_cast<std::byte*>(bytes.data()), bytes.size()};
        header.msg_iov = &part_;
        header.msg_iovlen = 1;
    }
    /// The kernel only reads the address.
    static void address(const net::endpoint& to, msghdr& header) noexcept {
        header.msg_name = const_cast<sockaddr*>(to.data());
        header.msg_namelen = to.size();
    }
    void ask_for_sender(msghdr& header) noexcept {
        header.msg_name = &sender_;
        header.msg_namelen = sizeof sender_;
        sender_.ss_family = AF_UNIX;  // not overwritten if the sender has no name
    }

    [[nodiscard]] net::datagram opened(std::span<std::byte> buffer, std::size_t bytes, const msghdr& header) const {
        const auto* const sender = reinterpret_cast<const sockaddr*>(&sender_);
        const socklen_t size = std::max<socklen_t>(header.msg_namelen, sizeof sender->sa_family);
        return {buffer.first(std::min(bytes, buffer.size())), net::endpoint{sender, size},
                (header.msg_flags & MSG_TRUNC) != 0};
    }

private:
    iovec part_{};
    sockaddr_storage sender_{};
};

}  // namespace coir::detail
