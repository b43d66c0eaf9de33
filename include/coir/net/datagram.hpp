#pragma once

#include <coir/net/endpoint.hpp>

#include <cstddef>
#include <span>

namespace coir::net {

/// A datagram that has come, or one of a batch.
struct datagram {
    /// In: where it is to go. Out: what has come of it.
    std::span<std::byte> bytes{};
    endpoint peer{};
    /// It was larger than the place for it, and the rest is gone.
    bool truncated = false;
};

}  // namespace coir::net
