#pragma once

#include <atomic>
#include <cstddef>

namespace coir::detail {

/// How the page range below a stack is made to fault.
enum class guard_kind : unsigned char {
    madvise,   // MADV_GUARD_INSTALL, Linux 6.13: the mapping stays one
    mprotect,  // splits the mapping: two of vm.max_map_count a stack
};

/// Makes guards, by madvise until that is found not to work. The first guard is tested: qemu-user answers 0 to advice
/// that it does not know, and a stack would have none. Any thread.
class stack_guards {
public:
    /// Those of the process.
    static stack_guards& of_process() noexcept;

    /// False, and errno, when the system refuses. `bytes` are whole pages.
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
