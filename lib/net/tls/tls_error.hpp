#pragma once

#include <string>
#include <system_error>

namespace coir::detail {

/// What OpenSSL's error queue of this thread says first, and empties it. The queue is shared by the fibers of a thread:
/// to be called before anything suspends. `otherwise` where it says nothing.
std::error_code take_tls_error(std::errc otherwise = std::errc::protocol_error) noexcept;

/// Throws that, with `operation` in the message.
[[noreturn]] void throw_tls_error(const std::string& operation);

}  // namespace coir::detail
