#include "prefork/service_notice.hpp"

#include <coir/net/endpoint.hpp>

#include "base/log.hpp"
#include "base/sys.hpp"
#include "base/unique_fd.hpp"

#include <cstdlib>
#include <ctime>
#include <system_error>

namespace coir::detail {

namespace {

void send_to(const net::endpoint& manager, const std::string& state) {
    const long made = sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (made < 0) throw std::system_error{static_cast<int>(-made), std::system_category(), "socket"};
    const unique_fd from{static_cast<int>(made)};
    const long sent = sys::sendto(from.get(), state.data(), state.size(), MSG_NOSIGNAL, manager.data(), manager.size());
    if (sent < 0) throw std::system_error{static_cast<int>(-sent), std::system_category(), "sendto"};
}

}  // namespace

void notify_service_manager(const std::string& state) {
    const char* const path = ::secure_getenv("NOTIFY_SOCKET");
    if (path == nullptr) return;
    try {
        // sd_notify(3) and `endpoint::local` both take a leading @ as the mark of an abstract socket.
        send_to(net::endpoint::local(path), state);
    } catch (const std::system_error& failure) {
        log::warning("prefork: cannot send '" + state + "' to NOTIFY_SOCKET '" + path + "': " + failure.what());
    }
}

std::string monotonic_time() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return "MONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1'000);
}

}  // namespace coir::detail
