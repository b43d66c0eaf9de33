#include "detect/calls/file_systems.hpp"

#include "base/system_call.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <fcntl.h>
#include <iterator>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

namespace coir::detail {

namespace {

/// The types of statfs(2) whose files are in memory, or are made by the kernel when they are read.
constexpr std::uint64_t in_memory[]{TMPFS_MAGIC,        RAMFS_MAGIC,        PROC_SUPER_MAGIC,    SYSFS_MAGIC,
                                    DEVPTS_SUPER_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
                                    TRACEFS_MAGIC,      SECURITYFS_MAGIC,   HUGETLBFS_MAGIC,     BPF_FS_MAGIC};

/// Answers by device: the number, shifted, with the answer in the lowest bit and a bit that marks a used place. A
/// device for which there is no place is asked about each time.
constinit std::array<std::atomic<std::uint64_t>, 32> known{};

std::uint64_t entry_of(dev_t device, bool answer) noexcept {
    return (static_cast<std::uint64_t>(device) << 2U) | 2U | (answer ? 1U : 0U);
}

template <class Ask> bool look_up(dev_t device, Ask ask) noexcept {
    for (const std::atomic<std::uint64_t>& each : known) {
        const std::uint64_t entry = each.load(std::memory_order_relaxed);
        if (entry == entry_of(device, true)) return true;
        if (entry == entry_of(device, false)) return false;
    }
    struct statfs about {};
    if (ask(about) != 0) return false;
    const bool answer =
        std::ranges::find(in_memory, static_cast<std::uint64_t>(about.f_type) & 0xffffffffU) == std::end(in_memory);
    for (std::atomic<std::uint64_t>& each : known) {
        std::uint64_t unused = 0;
        if (each.compare_exchange_strong(unused, entry_of(device, answer), std::memory_order_relaxed)) break;
    }
    return answer;
}

}  // namespace

bool has_device(dev_t device, int fd) noexcept {
    return look_up(device, [&](struct statfs& about) { return system_call(SYS_fstatfs, fd, &about); });
}

bool has_device(dev_t device, int folder, const char* path) noexcept {
    return look_up(device, [&](struct statfs& about) -> long {
        if (*path == '/' || folder == AT_FDCWD) return system_call(SYS_statfs, path, &about);
        return system_call(SYS_fstatfs, folder, &about);
    });
}

}  // namespace coir::detail
