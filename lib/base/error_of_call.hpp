#pragma once

#include <cerrno>
#include <system_error>

namespace coir::detail {

/// The error in errno.
inline std::error_code last_error() noexcept { return {errno, std::system_category()}; }

/// The error of a call that returns -1 and sets errno.
inline std::error_code error_of_call(long result) noexcept { return result < 0 ? last_error() : std::error_code{}; }

}  // namespace coir::detail
