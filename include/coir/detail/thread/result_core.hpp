#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/fork_generation.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace coir::detail {

class parker;

/// One result that is handed from a producer to a consumer, on any threads. Holds everything except the value.
class result_core {
public:
    result_core() noexcept;
    ~result_core();
    result_core(const result_core&) = delete;
    result_core& operator=(const result_core&) = delete;

    /// For the producer. Returns true if no result has been set or is being set; `publish` or `give_back` must follow
    /// then.
    [[nodiscard]] bool begin_setting() noexcept {
        state expected = state::none;
        return state_.compare_exchange_strong(expected, state::in_the_making, std::memory_order_acquire);
    }
    void give_back() noexcept { state_.store(state::none, std::memory_order_release); }
    /// Makes the value, or the exception `failure`, available, and wakes the consumer.
    void publish(std::exception_ptr failure = {}) noexcept;

    [[nodiscard]] bool is_ready() const noexcept { return state_.load(std::memory_order_acquire) == state::ready; }
    /// The exception of a ready result; null if the result is a value. The consumer takes it, so that the producer's
    /// thread does not free it: the reference count of an exception is in libstdc++.so, which the thread sanitizer does
    /// not instrument.
    [[nodiscard]] std::exception_ptr take_failure() noexcept { return std::move(failure_); }

    /// Waits, and returns true once the result is ready. Returns false if `until` passes first. Throws `cancelled`,
    /// `scope_expired`, and `std::system_error` (`operation_not_permitted`) if there is a waiter already.
    [[nodiscard]] bool wait(const char* operation, const deadline& until);
    /// Waits until the result is ready; stops and expired scopes do not end the wait.
    void wait_shielded(const char* operation);

private:
    enum class state : std::uint8_t { none, in_the_making, ready };

    [[nodiscard]] bool take_out(parker& leaving) noexcept;

    const fork_generation made_in_;
    std::atomic<state> state_{state::none};
    std::mutex mutex_;
    parker* waits_ = nullptr;
    std::exception_ptr failure_;
};

}  // namespace coir::detail
