#pragma once

#include <string>
#include <system_error>

namespace coir::detail {

/// Returns the first error of OpenSSL's error queue, and clears the queue. The fibers of a thread share it: call this
/// before anything suspends. Returns `otherwise` if the queue is empty.
std::error_code take_tls_error(std::errc otherwise = std::errc::protocol_error) noexcept;

/// Whether a handshake has failed because of what the peer has sent. Not if OpenSSL has no memory, has failed itself, or
/// refuses the certificate of this side.
bool is_fault_of_peer(const std::error_code& ec) noexcept;

/// Throws the error of `take_tls_error`, with `operation` in the message.
[[noreturn]] void throw_tls_error(const std::string& operation);

}  // namespace coir::detail
