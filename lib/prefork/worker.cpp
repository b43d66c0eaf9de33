#include <coir/process/worker.hpp>

#include <limits>
#include <utility>

namespace coir {

worker::worker(unsigned index, std::vector<net::tcp_listener> listeners, std::function<void()> on_ready) noexcept
    : index_{index}, listeners_{std::move(listeners)}, on_ready_{std::move(on_ready)} {}

void worker::ready() {
    if (const auto notify = std::exchange(on_ready_, nullptr)) notify();
}

void worker::serve(const std::function<void(net::tcp_stream)>& handler) {
    serve(limit{std::numeric_limits<std::size_t>::max()}, handler);
}

void worker::serve(limit most, const std::function<void(net::tcp_stream)>& handler) {
    ready();
    task_group serving;
    for (net::tcp_listener& each : listeners_) serving.spawn([&] { each.serve(most, handler); });
    serving.spawn([&] {
        draining_.wait();
        for (net::tcp_listener& each : listeners_) each.drain();
    });
    serving.wait();
}

}  // namespace coir
