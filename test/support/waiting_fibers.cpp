#include "support/waiting_fibers.hpp"

#include <coir/error.hpp>
#include <coir/this_fiber.hpp>

#include <algorithm>

namespace coir::test {

using namespace std::chrono_literals;

void waiting_fibers::arrive(bool is_served) {
    member& newcomer = *members_.emplace_back(std::make_unique<member>());
    newcomer.limit = below(2) == 0 ? clock::time_point::max() : clock::now() + std::chrono::nanoseconds{1 + below(40)};
    newcomer.runs = spawn([this, &newcomer] {
        try {
            wait_(newcomer.limit);
            newcomer.actual = fate::woken;
        } catch (const timed_out&) {
            newcomer.actual = fate::timed_out;
        } catch (const cancelled&) {
            newcomer.actual = fate::stopped;
        }
    });
    this_fiber::yield();  // now it waits
    if (is_served)
        newcomer.expected = fate::woken;
    else
        waiting_.push_back(&newcomer);
}

bool waiting_fibers::first_is_woken() {
    if (waiting_.empty()) return false;
    waiting_.front()->expected = fate::woken;
    waiting_.pop_front();
    return true;
}

void waiting_fibers::stop_anyone() {
    if (members_.empty()) return;
    member& chosen = *members_[below(members_.size())];
    chosen.runs.request_stop();
    if (std::erase(waiting_, &chosen) > 0) chosen.expected = fate::stopped;
}

bool waiting_fibers::settle() {
    this_fiber::sleep_for(std::chrono::nanoseconds{1 + below(20)});
    expire();
    const bool right = std::ranges::all_of(members_, [](const auto& each) { return each->actual == each->expected; });
    std::erase_if(members_, [](const auto& each) { return each->actual != fate::waiting; });
    return right;
}

void waiting_fibers::expire() {
    std::erase_if(waiting_, [](member* each) {
        if (each->limit > clock::now()) return false;
        each->expected = fate::timed_out;
        return true;
    });
}

bool waiting_fibers::end() {
    while (!members_.empty()) {
        for (const auto& each : members_) each->runs.request_stop();
        for (member* const each : waiting_) each->expected = fate::stopped;
        waiting_.clear();
        if (!settle()) return false;
    }
    return true;
}

}  // namespace coir::test
