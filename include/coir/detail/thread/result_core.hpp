#pragma once

#include <coir/deadline.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace coir::detail {

class parker;

/// One result on its way from where it is made to who waits for it, on whatever threads; all but the value.
class result_core {
public:
    result_core() noexcept;
    ~result_core();
    result_core(const result_core&) = delete;
    result_core& operator=(const result_core&) = delete;

    /// The maker: true once, and then `publish` or `give_back` follows.
    [[nodiscard]] bool begin_setting() noexcept {
        state expected = state::none;
        return state_.compare_exchange_strong(expected, state::in_the_making, std::memory_order_acquire);
    }
    void give_back() noexcept { state_.store(state::none, std::memory_order_release); }
    /// The value, or this failure, is there. Wakes who waits.
    void publish(std::exception_ptr failure = {}) noexcept;

    [[nodiscard]] bool is_ready() const noexcept { return state_.load(std::memory_order_acquire) == state::ready; }
    /// Of what is ready; none: it is a value. Taken along by who asks, so that the maker's thread does not free it: the
    /// exception's count is kept in libstdc++.so, where the thread sanitizer does not look.
    [[nodiscard]] std::exception_ptr take_failure() noexcept { return std::move(failure_); }

    /// Waits until it is ready: true. False when `until` came first. Throws `cancelled`, `scope_expired`, and
    /// `std::system_error` (`operation_not_permitted`) when another one waits already.
    [[nodiscard]] bool wait(const char* operation, const deadline& until);
    /// Whatever comes in the meantime.
    void wait_shielded(const char* operation);

private:
    enum class state : std::uint8_t { none, in_the_making, ready };

    [[nodiscard]] bool take_out(parker& leaving) noexcept;

    const unsigned made_after_;  // forks, as in `event_count`
    std::atomic<state> state_{state::none};
    std::mutex mutex_;
    parker* waits_ = nullptr;
    std::exception_ptr failure_;
};

}  // namespace coir::detail
