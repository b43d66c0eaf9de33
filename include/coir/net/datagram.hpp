#pragma once

#include <coir/net/endpoint.hpp>

#include <cstddef>
#include <span>

namespace coir::net {

/// A received datagram, or one element of a batch to send or receive.
struct datagram {
    /// When sending: the data. When receiving: as input the buffer, as output the received part of it.
    std::span<std::byte> bytes{};
    /// When sending: the destination. When receiving: the sender.
    endpoint peer{};
    /// The datagram was larger than the buffer; the rest of it is lost.
    bool truncated = false;
};

}  // namespace coir::net
