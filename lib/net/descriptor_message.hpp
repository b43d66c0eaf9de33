#pragma once

#include <coir/detail/net/socket.hpp>

#include <system_error>

namespace coir::detail {

/// Passes a duplicate of the descriptor to the peer of a Unix socket, with one byte for it to come with.
void send_descriptor(socket& by, int descriptor, const deadline& until, std::error_code& ec, const char* operation);

/// Takes what the peer's `send_descriptor` has passed. -1 with `bad_message` when a message without a descriptor, or
/// with several, comes instead, which are closed, and with `connection_aborted` at the end of a stream.
int receive_descriptor(socket& by, const deadline& until, std::error_code& ec, const char* operation);

}  // namespace coir::detail
