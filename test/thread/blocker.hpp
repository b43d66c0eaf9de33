#pragma once

#include <coir/this_fiber.hpp>

#include <atomic>
#include <chrono>
#include <memory>

namespace coir::test {

/// Blocks threads of the pools until it is destroyed. Abandoned work may wait for it for longer.
class blocker {
public:
    blocker() = default;
    ~blocker() { end(); }
    blocker(const blocker&) = delete;
    blocker& operator=(const blocker&) = delete;

    void end() const {
        *over_ = true;
        over_->notify_all();
    }

    /// A call that blocks its thread. It owns all that it accesses.
    [[nodiscard]] auto call() const {
        return [begun = begun_, over = over_] {
            ++*begun;
            over->wait(false);
            return 0;
        };
    }
    void wait_for(int count) const {
        while (*begun_ < count) this_fiber::sleep_for(std::chrono::microseconds{100});
    }

private:
    std::shared_ptr<std::atomic<int>> begun_ = std::make_shared<std::atomic<int>>(0);
    std::shared_ptr<std::atomic<bool>> over_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace coir::test
