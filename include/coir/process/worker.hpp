#pragma once

#include <coir/deadline.hpp>
#include <coir/net/tcp.hpp>
#include <coir/sync/event.hpp>
#include <coir/task_group.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace coir {

/// A worker process of `prefork`, seen from within: what its main is given. For the fibers of its scheduler.
class worker {
public:
    /// Made by `prefork`. `on_ready` is called once.
    worker(unsigned index, std::vector<net::tcp_listener> listeners, std::function<void()> on_ready) noexcept;

    /// Its place among the workers, from 0. Whoever replaces it has the same.
    [[nodiscard]] unsigned index() const noexcept { return index_; }

    /// In the order of `prefork_options::listen`, or as systemd hands them over. Shared with the other workers (see
    /// `tcp_listener::adopt`). Throws `std::out_of_range`.
    [[nodiscard]] net::tcp_listener& listener(std::size_t which = 0) { return listeners_.at(which); }

    /// Tells the parent that it works: in a rolling restart its predecessor is now told to drain. Not before what it
    /// needs is there. Never waits; a second call does nothing.
    void ready();

    /// Whether it has been told to come to an end. Connections that stay open (HTTP's keep-alive) should end after the
    /// next answer then, which says so, and those that are idle before long.
    [[nodiscard]] bool draining() const noexcept { return draining_.is_set(); }

    /// Throws `timed_out`, `cancelled`, `scope_expired`.
    void wait_for_drain(deadline until = never) { draining_.wait(until); }

    /// As if it had been told: for a worker that has served for long enough. Once its main has returned, it is replaced
    /// as one that has crashed.
    void drain() { draining_.set(); }

    /// Says that it is ready, and serves its listeners as `tcp_listener::serve` does until it is told to drain; then
    /// takes those who are connected already, accepts no more, and returns when all have come to their ends. How long
    /// that may take the parent knows (`prefork_options::grace`).
    void serve(const std::function<void(net::tcp_stream)>& handler);

    /// No more than so many connections at a time, for each listener.
    void serve(limit most, const std::function<void(net::tcp_stream)>& handler);

private:
    unsigned index_;
    std::vector<net::tcp_listener> listeners_;
    std::function<void()> on_ready_;
    event draining_;
};

}  // namespace coir
