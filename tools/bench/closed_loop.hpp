#pragma once

#include "contender.hpp"
#include "loopback.hpp"
#include "server_process.hpp"

#include <array>
#include <sched.h>
#include <span>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bench {

/// A load generator with several clients; each sends its next request when it has the complete previous answer. A
/// client has `fd()`, `send_request()`, and `receive_answer()`, which reads the available bytes without waiting and
/// returns whether they complete an answer.
template <class Client> class closed_loop {
public:
    explicit closed_loop(std::vector<Client> clients) : clients_(std::move(clients)) {
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = i}};
            if (epoll_ctl(epoll_, EPOLL_CTL_ADD, clients_[i].fd(), &event) != 0) fail("epoll_ctl");
            clients_[i].send_request();
        }
    }

    ~closed_loop() { close(epoll_); }
    closed_loop(const closed_loop&) = delete;
    closed_loop& operator=(const closed_loop&) = delete;

    /// Receives `count` answers, and sends the next request after each.
    void exchange(long count) {
        std::array<epoll_event, 128> events;
        for (long done = 0; done < count;) {
            const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10'000);
            if (ready <= 0) fail("no answer for ten seconds");
            for (const epoll_event& event : std::span{events}.first(static_cast<std::size_t>(ready))) {
                Client& client = clients_[event.data.u64];
                if (!client.receive_answer()) continue;
                client.send_request();
                ++done;
            }
        }
    }

private:
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Client> clients_;
};

/// Reports the processor time of the server per request, for `requests` requests after a warm-up of a tenth as many.
template <class Client> void report_cpu(const server_process& server, closed_loop<Client>& load, long requests) {
    load.exchange(requests / 10);
    const double start = server.cpu_seconds();
    load.exchange(requests);
    report("us", (server.cpu_seconds() - start) * 1e6 / static_cast<double>(requests));
}

}  // namespace bench
