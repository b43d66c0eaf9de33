#pragma once

#include <coir/detail/net/socket.hpp>

#include <system_error>

namespace coir::detail {

/// Passes a duplicate of the descriptor to the peer of a Unix socket, together with one byte of data.
void send_descriptor(socket& by, int descriptor, const deadline& until, std::error_code& ec, const char* operation);

/// Receives a descriptor that the peer has sent with `send_descriptor`. Returns -1 with `bad_message` if a message with
/// no descriptor, or with several (these are closed), arrives instead, and with `connection_aborted` at the end of a
/// stream.
int receive_descriptor(socket& by, const deadline& until, std::error_code& ec, const char* operation);

}  // namespace coir::detail
