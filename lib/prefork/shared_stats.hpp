#pragma once

#include <coir/stats.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace coir::detail {

/// One worker's figures, in memory that it shares with its parent: made before the fork, written by the worker, read by
/// the parent.
class shared_stats {
public:
    /// Throws `std::system_error`.
    shared_stats();
    ~shared_stats();
    shared_stats(const shared_stats&) = delete;
    shared_stats& operator=(const shared_stats&) = delete;

    void write(const scheduler_stats& now) noexcept;

    /// Nothing before the first `write`, and where one has been cut short for ever: the worker has died.
    [[nodiscard]] std::optional<scheduler_stats> read() const noexcept;

private:
    using word = std::uint64_t;
    using words = std::array<word, sizeof(scheduler_stats) / sizeof(word)>;
    static_assert(std::is_trivially_copyable_v<scheduler_stats> && sizeof(words) == sizeof(scheduler_stats));
    static_assert(std::atomic<word>::is_always_lock_free);  // a lock would be the process's own

    struct page {
        std::atomic<word> version{0};  // odd while they are written
        std::array<std::atomic<word>, std::tuple_size_v<words>> figures{};
    };

    page* page_;
};

}  // namespace coir::detail
