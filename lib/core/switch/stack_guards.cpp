#include "core/switch/stack_guards.hpp"

#include "base/log.hpp"
#include "base/sys.hpp"
#include "base/valgrind.hpp"

#include <cerrno>
#include <sys/mman.h>

namespace coir::detail {

namespace {

constexpr int madv_guard_install = 102;  // <asm-generic/mman-common.h> of Linux 6.13

/// Whether a store to the last word of the guard would fault. An overflowing stack touches that word first.
bool is_guarded(void* bottom, std::size_t bytes) noexcept {
    constexpr std::size_t word = 8;
    return !sys::can_be_written(static_cast<std::byte*>(bottom) + bytes - word);
}

}  // namespace

stack_guards& stack_guards::of_process() noexcept {
    static constinit stack_guards guards;
    return guards;
}

bool stack_guards::install(void* bottom, std::size_t bytes) noexcept {
    // Valgrind does not know that advice, and dies of the test of a guard.
    if (RUNNING_ON_VALGRIND != 0) mprotect_.store(true, std::memory_order_relaxed);
    if (kind() == guard_kind::madvise) {
        if (install_by_madvise(bottom, bytes)) return true;
        if (kind() == guard_kind::madvise) return false;
    }
    return ::mprotect(bottom, bytes, PROT_NONE) == 0;
}

bool stack_guards::install_by_madvise(void* bottom, std::size_t bytes) noexcept {
    if (::madvise(bottom, bytes, madv_guard_install) != 0) {
        if (sys::may_be_unavailable(-errno)) {
            give_up_madvise(
                "MADV_GUARD_INSTALL is refused (a kernel older than Linux 6.13, locked memory as after mlockall, "
                "or a seccomp filter)");
        }
        return false;
    }
    if (tested_.load(std::memory_order_relaxed)) return true;
    if (!is_guarded(bottom, bytes)) {
        give_up_madvise("MADV_GUARD_INSTALL succeeds but guards nothing here, as under qemu-user");
        return false;
    }
    tested_.store(true, std::memory_order_relaxed);
    return true;
}

void stack_guards::give_up_madvise(const char* why) noexcept {
    const int saved = errno;
    if (!mprotect_.exchange(true)) log::write_joined(log_level::info, {"stacks are guarded by mprotect: ", why});
    errno = saved;
}

}  // namespace coir::detail
