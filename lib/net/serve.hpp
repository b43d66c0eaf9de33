#pragma once

#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/error.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "net/peer_failure.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

namespace coir::detail {

inline constexpr std::chrono::milliseconds pause_without_descriptors{50};
inline constexpr std::size_t connections_unlimited = std::numeric_limits<std::ptrdiff_t>::max();

/// accept(2): no free descriptor in the process or the system, or no memory.
inline bool is_shortage(const std::error_code& ec) noexcept {
    return ec == std::errc::too_many_files_open || ec == std::errc::too_many_files_open_in_system ||
           ec == std::errc::no_buffer_space || ec == std::errc::not_enough_memory;
}

/// Call it in a catch clause. In a forked process, where no scheduler can report the exception, it rethrows.
inline void report_failure() {
    scheduler* const here = scheduler::current();
    if (here == nullptr) throw;
    here->report_unhandled(std::current_exception());
}

template <class Stream> void run_handler(const std::function<void(Stream)>& handler, Stream peer) {
    try {
        handler(std::move(peer));
    } catch (const cancelled&) {
        throw;
    } catch (...) {
        if (!is_caused_by_peer(std::current_exception())) report_failure();
    }
}

/// The implementation of `serve` for any kind of listener and stream. `socket` is the socket of the listener.
template <class Stream, class Listener>
void serve(Listener& listener, socket& socket, const std::function<void(Stream)>& handler, std::size_t most,
           const deadline& until, const char* operation) {
    struct slot {
        explicit slot(counting_semaphore<>& of) noexcept : of_{&of} {}
        slot(slot&& other) noexcept : of_{std::exchange(other.of_, nullptr)} {}
        ~slot() {
            if (of_ != nullptr) of_->release();
        }
        counting_semaphore<>* of_;
    };
    const bool was_open = listener.is_open();
    bool shortage_is_known = false;
    counting_semaphore<> slots{static_cast<std::ptrdiff_t>(std::min(most, connections_unlimited))};
    task_group connections;
    const auto begin = [&](Stream peer, slot taken) {
        std::error_code gone;
        const auto from = peer.remote_endpoint(gone);
        const std::string name = gone ? "" : from.to_string();
        connections.spawn({.name = name}, [&handler, peer = std::move(peer), taken = std::move(taken)]() mutable {
            run_handler(handler, std::move(peer));
        });
    };
    for (;;) {
        // A slot is taken before accept: connections beyond the limit stay in the system's queue.
        if (!slots.try_acquire_until(until)) throw timed_out{operation};
        slot taken{slots};
        if (socket.is_draining()) break;
        std::error_code ec;
        Stream peer = listener.accept(until, ec);
        if (!ec) {
            begin(std::move(peer), std::move(taken));
            // Distributes a burst of connections over the processes: the first one to wake must not accept all of them.
            if (socket.is_shared()) this_fiber::yield();
        } else if (was_open && !listener.is_open()) {
            break;
        } else if (is_shortage(ec)) {
            if (!std::exchange(shortage_is_known, true)) {
                log::warning(std::string{operation} + ": cannot accept a connection: " + ec.message() +
                             "; new connections wait in the system's queue until descriptors or memory are free "
                             "(RLIMIT_NOFILE limits the descriptors of the process)");
            }
            socket.pause(direction::read, pause_without_descriptors);
        } else if (!socket.is_draining()) {
            throw_error(ec, operation);
        }
    }
    // When draining, accepts the connections that arrived before the waits ended: their only wake-up may have gone to
    // this process.
    while (slots.try_acquire()) {
        slot taken{slots};
        std::error_code ec;
        Stream peer = listener.accept(std::chrono::seconds{0}, ec);
        if (ec) break;
        begin(std::move(peer), std::move(taken));
    }
    listener.close();
    connections.wait();
}

}  // namespace coir::detail
