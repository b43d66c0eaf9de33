#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/sync/select.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/future.hpp>
#include <coir/thread/promise.hpp>
#include <coir/thread/spawn_on.hpp>

#include "base/random.hpp"
#include "support/limits.hpp"
#include "support/repeat_storm.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Schedulers that start and end, and threads without a scheduler, use all operations between threads on each other.
// COIR_STORM_SECONDS=60 lets it go on for a minute, instead of the default of a quick test.

namespace {

using namespace std::chrono_literals;

constexpr long operations_each = coir::test::sanitized ? 40'000 : 100'000;

class storm {
public:
    explicit storm(std::uint64_t seed) : seed_{seed} {}

    void run() {
        std::vector<std::jthread> threads;
        for (std::size_t place = 0; place < schedulers; ++place) threads.emplace_back([this, place] { reign(place); });
        for (std::uint64_t i = 0; i < 2; ++i) threads.emplace_back([this, i] { wander(i); });
        threads.clear();
        CHECK(ran_ == taken_);
        CHECK(ended_ == begun_);
        CHECK(sent_ >= received_);
    }

private:
    static constexpr std::size_t schedulers = 3;

    /// Runs one scheduler after the other, each for some hundreds of operations.
    void reign(std::size_t place) {
        coir::detail::random_numbers random{seed_ * 31 + place};
        while (more()) {
            coir::run([&] {
                enter(place, coir::this_scheduler());
                std::vector<coir::fiber<void>> fibers;
                for (int i = 0; i < 3; ++i) {
                    fibers.push_back(coir::spawn([this, &random] {
                        for (std::size_t left = 50 + random.below(100); left > 0 && more(); --left) {
                            operate(random);
                            if (random.below(8) == 0) coir::this_fiber::yield();
                        }
                    }));
                }
                for (auto& each : fibers) each.get();
            });
        }
        enter(place, {});
    }

    void wander(std::uint64_t number) {
        coir::detail::random_numbers random{seed_ * 37 + number};
        while (more()) operate(random);
    }

    [[nodiscard]] bool more() { return left_.fetch_sub(1, std::memory_order_relaxed) > 0; }

    void enter(std::size_t place, coir::scheduler_ref who) {
        const std::lock_guard lock{mutex_};
        known_[place] = std::move(who);
    }

    coir::scheduler_ref any(coir::detail::random_numbers& random) {
        const std::lock_guard lock{mutex_};
        return known_[random.below(schedulers)];
    }

    void operate(coir::detail::random_numbers& random) {
        try {
            switch (random.below(8)) {
            case 0:
            case 1: post(any(random)); break;
            case 2: join(any(random)); break;
            case 3: stop(any(random), random.below(2) == 0); break;
            case 4: let_go(any(random)); break;
            case 5: keep_a_promise(any(random)); break;
            case 6: send(random); break;
            default: receive(random); break;
            }
        } catch (const coir::scheduler_gone&) {
        }
    }

    void post(const coir::scheduler_ref& to) {
        // Limits the number of pending posts; otherwise only memory would limit it.
        if (taken_.load() > ran_.load() + 1000) return;
        to.post([this] { ran_.fetch_add(1); });
        taken_.fetch_add(1);
    }

    void join(const coir::scheduler_ref& on) {
        auto fiber = coir::spawn_on(on, [this] {
            const life counted{*this};
            return 42;
        });
        try {
            CHECK(fiber.get(1h) == 42);
        } catch (const coir::fiber_stopped&) {
        }
    }

    void stop(const coir::scheduler_ref& on, bool with_callback) {
        auto sleeper = coir::spawn_on(on, [this, with_callback] {
            const life counted{*this};
            std::optional<std::stop_callback<void (*)()>> callback;
            if (with_callback) callback.emplace(coir::this_fiber::stop_token(), [] {});
            coir::this_fiber::sleep_for(1h);
        });
        if (with_callback) sleeper.request_stop();
    }

    void let_go(const coir::scheduler_ref& on) {
        coir::spawn_on(on, [this] {
            const life counted{*this};
            coir::this_fiber::yield();
        }).detach();
    }

    void keep_a_promise(const coir::scheduler_ref& on) {
        coir::promise<std::string> made;
        auto awaited = made.get_future();
        on.post([made = std::move(made)]() mutable { made.set_value("kept, in a string of some length"); });
        CHECK(awaited.get(1h).size() > 10);
    }

    void send(coir::detail::random_numbers& random) {
        if (random.below(2) == 0) {
            if (values_.try_send(1)) ++sent_;
            return;
        }
        try {
            values_.send(1, 100us);
            ++sent_;
        } catch (const coir::timed_out&) {
        }
    }

    void receive(coir::detail::random_numbers& random) {
        if (random.below(2) == 0 || !coir::this_fiber::in_fiber()) {
            if (values_.try_recv()) ++received_;
            return;
        }
        coir::select(coir::on_recv(values_, [this](std::optional<int>) { ++received_; }),
                     coir::on_timeout(100us, [] {}));
    }

    struct life {
        explicit life(storm& of) : whole{of} { whole.begun_.fetch_add(1); }
        ~life() { whole.ended_.fetch_add(1); }
        life(const life&) = delete;
        life& operator=(const life&) = delete;
        storm& whole;
    };

    const std::uint64_t seed_;
    std::atomic<long> left_{operations_each};
    std::mutex mutex_;
    std::array<coir::scheduler_ref, schedulers> known_;
    std::atomic<long> taken_{0}, ran_{0}, begun_{0}, ended_{0}, sent_{0}, received_{0};
    coir::concurrent_channel<int> values_{4};
};

}  // namespace

TEST_CASE("threads: in a storm of posts, spawns, stops and ends nothing is lost, and no wait hangs") {
    coir::test::repeat_storm(1s, [](std::uint64_t seed) { storm{seed}.run(); });
}
