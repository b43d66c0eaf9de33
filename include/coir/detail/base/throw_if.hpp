#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace coir::detail {

/// Throws the exception for `failure`, with `operation` in its message: `timed_out` if a deadline of coir has passed,
/// otherwise `std::system_error`.
[[noreturn]] void throw_error(const std::error_code& failure, std::string_view operation);

/// Does nothing if there is no failure.
inline void throw_if(const std::error_code& failure, std::string_view operation) {
    if (failure) [[unlikely]]
        throw_error(failure, operation);
}

/// As above, for an error of one descriptor; the message names it.
inline void throw_if(const std::error_code& failure, std::string_view operation, int descriptor) {
    if (failure) [[unlikely]] {
        throw_error(failure, std::string{operation} + " on descriptor " + std::to_string(descriptor));
    }
}

}  // namespace coir::detail
