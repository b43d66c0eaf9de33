#pragma once

#include <algorithm>
#include <cstddef>
#include <unistd.h>

namespace coir::detail {

/// The size of a page in bytes: 4, 16 or 64 KiB, depending on the kernel's configuration.
inline std::size_t page_size() noexcept {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

/// The parts of the memory of one stack, from the bottom: the guard, then the room that the fiber uses. Each has whole
/// pages, and at least one.
struct stack_layout {
    static constexpr std::size_t guard_max = std::size_t{64} << 10;
    static constexpr std::size_t stack_min = std::size_t{16} << 10;  // enough for a signal handler

    std::size_t guard;
    std::size_t room;

    [[nodiscard]] constexpr std::size_t bytes() const noexcept { return guard + room; }

    static constexpr std::size_t round_up(std::size_t bytes, std::size_t page) noexcept {
        return (std::max(bytes, stack_min) + page - 1) / page * page;
    }

    /// The layout of a stack of `bytes`, which must be a result of `round_up`. The guard takes a quarter of it, at most
    /// 64 KiB. If one page is larger than that, the stack gets more than `bytes`, so that the room stays the same.
    static constexpr stack_layout of(std::size_t bytes, std::size_t page) noexcept {
        const std::size_t wanted = std::min(guard_max, bytes / 4);
        const std::size_t guard = std::max(page, wanted / page * page);
        return {guard, (bytes - wanted + page - 1) / page * page};
    }
};

}  // namespace coir::detail
