#pragma once

#include <coir/coir.hpp>

#include "support/text.hpp"

#include <cstdint>

namespace coir::test {

inline net::tcp_listener listen_on_loopback() { return net::tcp_listener::bind({"127.0.0.1", 0}); }

/// Both ends of a connection.
struct connection {
    static connection make() {
        auto listener = listen_on_loopback();
        // The kernel completes a connection before it is accepted.
        auto near = net::tcp_stream::connect(listener.local_endpoint());
        auto far = listener.accept();
        return {std::move(near), std::move(far)};
    }

    net::tcp_stream near;
    net::tcp_stream far;
};

/// A port of the loopback interface on which no process listens.
inline net::endpoint deserted() { return listen_on_loopback().local_endpoint(); }

/// Closes a stream so that its peer gets a connection reset.
inline void reset(net::tcp_stream& stream) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(stream.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    stream.close();
}

}  // namespace coir::test
