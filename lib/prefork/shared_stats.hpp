#pragma once

#include <coir/stats.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace coir::detail {

/// One worker's statistics in memory shared with the parent: created before the fork, written by the worker, read by
/// the parent. A sequence lock: the version is odd during a write.
class shared_stats {
public:
    /// Throws `std::system_error`.
    shared_stats();
    ~shared_stats();
    shared_stats(const shared_stats&) = delete;
    shared_stats& operator=(const shared_stats&) = delete;

    void write(const scheduler_stats& now) noexcept;

    /// Empty before the first `write`, and when a write never completed because the worker died in it.
    [[nodiscard]] std::optional<scheduler_stats> read() const noexcept;

private:
    using word = std::uint64_t;
    using words = std::array<word, sizeof(scheduler_stats) / sizeof(word)>;
    static_assert(std::is_trivially_copyable_v<scheduler_stats> && sizeof(words) == sizeof(scheduler_stats));
    static_assert(std::atomic<word>::is_always_lock_free);  // a lock would not work between processes

    struct page {
        std::atomic<word> version{0};  // odd during a write
        std::array<std::atomic<word>, std::tuple_size_v<words>> figures{};
    };

    page* page_;
};

}  // namespace coir::detail
