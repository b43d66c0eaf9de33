#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace coir::detail {

/// Replaces the time of `coir::clock` on the thread that creates this object, for the lifetime of the object. It starts
/// at the real time and stands still until it is moved. Used and destroyed on that thread only.
class virtual_clock {
public:
    virtual_clock() noexcept : now_{real_now()} { of_this_thread_ = this; }
    ~virtual_clock() { of_this_thread_ = nullptr; }
    virtual_clock(const virtual_clock&) = delete;
    virtual_clock& operator=(const virtual_clock&) = delete;

    /// In nanoseconds since the epoch of `coir::clock`.
    [[nodiscard]] std::int64_t now() const noexcept { return now_; }

    /// Never moves the clock back.
    void move_to(std::int64_t now) noexcept {
        if (now > now_) now_ = now;
    }

    /// Saturates at the maximum of `std::int64_t`.
    void advance(std::int64_t by) noexcept {
        now_ =
            by < std::numeric_limits<std::int64_t>::max() - now_ ? now_ + by : std::numeric_limits<std::int64_t>::max();
    }

    /// The time of `std::chrono::steady_clock`, in nanoseconds since its epoch. It is not affected by this class.
    [[nodiscard]] static std::int64_t real_now() noexcept {
        return std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count();
    }

    /// Makes time real again on the calling thread, although the object may still exist: for a forked process.
    static void forget() noexcept { of_this_thread_ = nullptr; }

    /// nullptr if the calling thread uses the real clock.
    [[nodiscard]] static const virtual_clock* of_this_thread() noexcept { return of_this_thread_; }

private:
    // Not inline: GCC makes an inline variable unique across all shared libraries of a process, each of which may have
    // its own copy of coir.
    static thread_local constinit const virtual_clock* of_this_thread_ __attribute__((tls_model("initial-exec")));

    std::int64_t now_;
};

}  // namespace coir::detail
