#include "prefork/socket_activation.hpp"

#include "base/integer.hpp"

#include <cstdlib>
#include <optional>
#include <unistd.h>

namespace coir::detail {

namespace {

constexpr int first_activated = 3;  // SD_LISTEN_FDS_START

std::optional<int> number_in(const char* variable) {
    const char* const given = ::secure_getenv(variable);
    return given != nullptr ? parse_integer<int>(given) : std::nullopt;
}

}  // namespace

std::vector<unique_fd> take_activated_sockets() {
    // LISTEN_PID names the process that the sockets are meant for. A child inherits the variables, but not the sockets.
    const bool are_ours = number_in("LISTEN_PID") == ::getpid();
    const int count = are_ours ? number_in("LISTEN_FDS").value_or(0) : 0;
    for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(each);
    std::vector<unique_fd> taken;
    for (int i = 0; i < count; ++i) taken.emplace_back(first_activated + i);
    return taken;
}

}  // namespace coir::detail
