#pragma once

#include <algorithm>
#include <cstddef>
#include <unistd.h>

namespace coir::detail {

/// The bytes of a page: 4, 16 or 64 KiB, as the kernel was built.
inline std::size_t page_size() noexcept {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

/// How the memory of one stack is divided, from the bottom: the guard, and the room that a fiber uses. Whole pages, and
/// at least one of each.
struct stack_layout {
    static constexpr std::size_t guard_max = std::size_t{64} << 10;
    static constexpr std::size_t stack_min = std::size_t{16} << 10;  // with room for a signal handler

    std::size_t guard;
    std::size_t room;

    [[nodiscard]] constexpr std::size_t bytes() const noexcept { return guard + room; }

    static constexpr std::size_t round_up(std::size_t bytes, std::size_t page) noexcept {
        return (std::max(bytes, stack_min) + page - 1) / page * page;
    }

    /// For a stack of `bytes`, a result of `round_up`. A quarter of it is the guard, 64 KiB at most. Where pages are so
    /// large that the guard takes more, the stack has more bytes than were asked for, and the fiber the same room.
    static constexpr stack_layout of(std::size_t bytes, std::size_t page) noexcept {
        const std::size_t wanted = std::min(guard_max, bytes / 4);
        const std::size_t guard = std::max(page, wanted / page * page);
        return {guard, (bytes - wanted + page - 1) / page * page};
    }
};

}  // namespace coir::detail
