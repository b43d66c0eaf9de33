#include "net/happy_eyeballs.hpp"

#include <coir/sync/wait_queue.hpp>
#include <coir/task_group.hpp>

#include <algorithm>
#include <chrono>

namespace coir::detail {

namespace {

constexpr std::chrono::milliseconds attempt_delay{250};  // RFC 8305, section 5: "Connection Attempt Delay"

}  // namespace

std::vector<net::endpoint> interleaved(std::span<const net::endpoint> found) {
    std::vector<net::endpoint> first;
    std::vector<net::endpoint> second;
    for (const net::endpoint& each : found) {
        (each.family() == found.front().family() ? first : second).push_back(each);
    }
    std::vector<net::endpoint> result;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) result.push_back(first[i]);
        if (i < second.size()) result.push_back(second[i]);
    }
    return result;
}

std::error_code race(std::span<const net::endpoint> candidates, const deadline& until,
                     const std::function<std::error_code(const net::endpoint&)>& attempt) {
    std::error_code last = std::make_error_code(std::errc::address_not_available);
    bool won = false;
    coir::wait_queue ended_attempts{"a connection"};
    task_group attempts;
    for (const net::endpoint& to : candidates) {
        attempts.spawn([&, to] {
            const std::error_code failure = attempt(to);
            if (won) return;
            won = !failure;
            last = failure;
            ended_attempts.wake_all();
            if (won) attempts.request_stop();
        });
        static_cast<void>(ended_attempts.wait_until(std::min(until, deadline{attempt_delay})));
        if (won || until.has_passed()) break;
    }
    attempts.wait();  // each attempt is limited by `until` itself
    return last;
}

}  // namespace coir::detail
