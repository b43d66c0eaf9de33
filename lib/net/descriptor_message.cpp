#include "net/descriptor_message.hpp"

#include "base/sys.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>

namespace coir::detail {

namespace {

/// A message of one byte, with a control buffer for descriptors (cmsg(3)).
class descriptor_message {
public:
    descriptor_message() noexcept {
        message_.msg_iov = &data_;
        message_.msg_iovlen = 1;
        message_.msg_control = control_.data();
        message_.msg_controllen = control_.size();
    }
    descriptor_message(const descriptor_message&) = delete;
    descriptor_message& operator=(const descriptor_message&) = delete;

    msghdr& message() noexcept { return message_; }

    void enclose(int descriptor) noexcept {
        message_.msg_controllen = CMSG_SPACE(sizeof descriptor);
        cmsghdr* const header = CMSG_FIRSTHDR(&message_);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }

    /// The received descriptor. If there are several or none, closes all of them and returns -1.
    int take() noexcept {
        int found = -1;
        int count = 0;
        for_each([&](int descriptor) {
            found = descriptor;
            ++count;
        });
        if (count == 1 && (message_.msg_flags & MSG_CTRUNC) == 0) return found;
        for_each([](int descriptor) { sys::close(descriptor); });
        return -1;
    }

private:
    template <class F> void for_each(F&& f) noexcept {
        for (cmsghdr* at = CMSG_FIRSTHDR(&message_); at != nullptr; at = CMSG_NXTHDR(&message_, at)) {
            if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
            for (std::size_t offset = CMSG_LEN(0); offset + sizeof(int) <= at->cmsg_len; offset += sizeof(int)) {
                int descriptor = -1;
                std::memcpy(&descriptor, CMSG_DATA(at) + (offset - CMSG_LEN(0)), sizeof descriptor);
                f(descriptor);
            }
        }
    }

    std::byte byte_{};
    iovec data_{&byte_, 1};
    // Room for the credentials of the sender, which come first if they are enabled, and for four descriptors.
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(4 * sizeof(int))> control_{};
    msghdr message_{};
};

}  // namespace

void send_descriptor(socket& by, int descriptor, const deadline& until, std::error_code& ec, const char* operation) {
    descriptor_message sent;
    sent.enclose(descriptor);
    by.send(sent.message(), until, ec, operation);
}

int receive_descriptor(socket& by, const deadline& until, std::error_code& ec, const char* operation) {
    descriptor_message received;
    const std::size_t bytes = by.receive(received.message(), until, ec, operation);
    if (ec) return -1;
    const int found = received.take();
    if (found < 0) ec = std::make_error_code(bytes == 0 ? std::errc::connection_aborted : std::errc::bad_message);
    return found;
}

}  // namespace coir::detail
