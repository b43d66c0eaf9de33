#pragma once

#include <coir/deadline.hpp>
#include <coir/net/tcp.hpp>
#include <coir/sync/event.hpp>
#include <coir/task_group.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace coir {

/// Represents the worker process in which it exists. It is the argument of the `main` that `prefork` runs. Only the
/// fibers of the worker's scheduler may use it.
class worker {
public:
    /// Made by `prefork`. `on_ready` is called once, by the first call of `ready`.
    worker(unsigned index, std::vector<net::tcp_listener> listeners, std::function<void()> on_ready) noexcept;

    /// Zero-based index; a replacement worker gets the same index.
    [[nodiscard]] unsigned index() const noexcept { return index_; }

    /// The listeners, in the order of `prefork_options::listen`, or in the order in which systemd passes the sockets.
    /// Shared with the other workers (see `tcp_listener::adopt`). Throws `std::out_of_range`.
    [[nodiscard]] net::tcp_listener& listener(std::size_t which = 0) { return listeners_.at(which); }

    /// Reports to the parent that this worker is ready. In a rolling restart the parent then asks the old worker to
    /// drain, so call it only when everything that this worker needs is there. Never waits; a second call does nothing.
    void ready();

    /// Whether this worker was asked to drain. If so, a connection that stays open (HTTP keep-alive) should announce
    /// its end in the next answer and end after it, and an idle connection should end soon.
    [[nodiscard]] bool draining() const noexcept { return draining_.is_set(); }

    /// Waits until this worker is asked to drain. Throws `timed_out`, `cancelled`, `scope_expired`.
    void wait_for_drain(deadline until = never) { draining_.wait(until); }

    /// Starts to drain without the parent: for a worker that has served for long enough. Once its `main` has returned,
    /// the parent replaces this worker in the same way as one that crashed.
    void drain() { draining_.set(); }

    /// Calls `ready`, and serves all listeners as `tcp_listener::serve` does until this worker is asked to drain. Then
    /// accepts the connections that are already established, and no new ones, and returns when all connections have
    /// ended. The parent limits the time that this may take (`prefork_options::grace`).
    void serve(const std::function<void(net::tcp_stream)>& handler);

    /// As above, with at most `most` connections at the same time for each listener.
    void serve(limit most, const std::function<void(net::tcp_stream)>& handler);

private:
    unsigned index_;
    std::vector<net::tcp_listener> listeners_;
    std::function<void()> on_ready_;
    event draining_;
};

}  // namespace coir
