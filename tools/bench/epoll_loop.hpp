#pragma once

#include "loopback.hpp"

#include <array>
#include <cstdint>
#include <sys/epoll.h>

namespace bench {

/// The event loop of a server without a library: one thread, one edge-triggered epoll instance.
class epoll_loop {
public:
    /// Adds `fd`; its events carry `data`.
    void watch(int fd, std::uint64_t data) {
        epoll_event event{.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.u64 = data}};
        if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
    }

    /// Calls `on_event(data, events)` until the process ends.
    template <class OnEvent> [[noreturn]] void run(OnEvent on_event) {
        std::array<epoll_event, 128> events;
        for (;;) {
            const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                const auto& event = events[static_cast<std::size_t>(i)];
                on_event(event.data.u64, event.events);
            }
        }
    }

private:
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
};

}  // namespace bench
