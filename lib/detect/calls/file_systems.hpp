#pragma once

#include <sys/types.h>

namespace coir::detail {

/// Whether a device or a network is behind the file system of the device number `device`, on which `fd` is open, so
/// that an access may wait for it. Asks the kernel once a device. Safe in signal handlers; preserves errno.
[[nodiscard]] bool has_device(dev_t device, int fd) noexcept;

/// The same for the file system on which `path` lies; `folder` is that of openat(2).
[[nodiscard]] bool has_device(dev_t device, int folder, const char* path) noexcept;

}  // namespace coir::detail
