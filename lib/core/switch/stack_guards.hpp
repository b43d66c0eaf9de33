#pragma once

#include <atomic>
#include <cstddef>

namespace coir::detail {

/// How the guard below a stack is made.
enum class guard_kind : unsigned char {
    madvise,   // MADV_GUARD_INSTALL (Linux 6.13): does not split the mapping
    mprotect,  // splits the mapping: each stack uses two of vm.max_map_count
};

/// Makes guards with madvise, or with mprotect once madvise has turned out not to work. The first guard is tested,
/// because qemu-user returns 0 for advice that it does not know, and the stacks would have no guard. May be used on any
/// thread.
class stack_guards {
public:
    /// The only object of the process.
    static stack_guards& of_process() noexcept;

    /// Makes [bottom, bottom + bytes) fault on access. `bytes` is a multiple of the page size. Returns false and sets
    /// errno if the system refuses.
    bool install(void* bottom, std::size_t bytes) noexcept;

    [[nodiscard]] guard_kind kind() const noexcept {
        return mprotect_.load(std::memory_order_relaxed) ? guard_kind::mprotect : guard_kind::madvise;
    }

private:
    bool install_by_madvise(void* bottom, std::size_t bytes) noexcept;
    void give_up_madvise(const char* why) noexcept;

    std::atomic<bool> tested_{false};
    std::atomic<bool> mprotect_{false};
};

}  // namespace coir::detail
