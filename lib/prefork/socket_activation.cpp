#include "prefork/socket_activation.hpp"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace coir::detail {

namespace {

constexpr int first_activated = 3;  // SD_LISTEN_FDS_START

std::optional<int> number_in(const char* variable) {
    const char* const given = ::secure_getenv(variable);
    if (given == nullptr) return std::nullopt;
    const std::string_view text{given};
    int number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
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
