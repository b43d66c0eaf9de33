#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace coir::detail {

/// What `coir::clock` tells on the thread that made it, while it lives: it begins at the real time and stands still
/// until it is moved.
class virtual_clock {
public:
    virtual_clock() noexcept : now_{real_now()} { of_this_thread_ = this; }
    ~virtual_clock() { of_this_thread_ = nullptr; }
    virtual_clock(const virtual_clock&) = delete;
    virtual_clock& operator=(const virtual_clock&) = delete;

    /// In nanoseconds on `coir::clock`.
    [[nodiscard]] std::int64_t now() const noexcept { return now_; }

    /// Never back.
    void move_to(std::int64_t now) noexcept {
        if (now > now_) now_ = now;
    }

    /// No further than time can be counted.
    void advance(std::int64_t by) noexcept {
        now_ =
            by < std::numeric_limits<std::int64_t>::max() - now_ ? now_ + by : std::numeric_limits<std::int64_t>::max();
    }

    /// In nanoseconds on `std::chrono::steady_clock`, which goes on meanwhile.
    [[nodiscard]] static std::int64_t real_now() noexcept {
        return std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count();
    }

    /// On this thread time is real again, although the clock may still be there: in a forked process.
    static void forget() noexcept { of_this_thread_ = nullptr; }

    /// nullptr where the clock is the real one.
    [[nodiscard]] static const virtual_clock* of_this_thread() noexcept { return of_this_thread_; }

private:
    // Not inline: GCC has one inline variable for all shared libraries of a process, each of which may have its own
    // coir.
    static thread_local constinit const virtual_clock* of_this_thread_ __attribute__((tls_model("initial-exec")));

    std::int64_t now_;
};

}  // namespace coir::detail
