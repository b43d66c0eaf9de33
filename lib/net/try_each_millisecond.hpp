#pragma once

#include <coir/detail/net/socket.hpp>

#include "base/sys.hpp"
#include "core/scheduler.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace coir::detail {

/// For calls on Unix sockets that return EAGAIN because the queue of another socket is full: no event reports when that
/// queue has room. `call` gets the descriptor.
template <class Call> void try_each_millisecond(socket& by, const deadline& until, std::error_code& ec, Call call) {
    constexpr std::chrono::milliseconds pause{1};
    for (;;) {
        const long result = call(by.fd());
        ec = error_of(result);
        if (result != -EAGAIN) return;
        if (until.has_passed()) {
            ec = std::make_error_code(std::errc::timed_out);
            return;
        }
        by.pause(direction::write, std::min(until, deadline{pause}));
    }
}

}  // namespace coir::detail
