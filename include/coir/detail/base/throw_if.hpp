#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace coir::detail {

/// Throws what `failure` stands for, with `operation` in its message: `timed_out` when a deadline of ours has passed,
/// `std::system_error` otherwise.
[[noreturn]] void throw_error(const std::error_code& failure, std::string_view operation);

/// Nothing when there is no failure.
inline void throw_if(const std::error_code& failure, std::string_view operation) {
    if (failure) [[unlikely]]
        throw_error(failure, operation);
}

/// The same for what concerns one descriptor, which the message names.
inline void throw_if(const std::error_code& failure, std::string_view operation, int descriptor) {
    if (failure) [[unlikely]] {
        throw_error(failure, std::string{operation} + " on descriptor " + std::to_string(descriptor));
    }
}

}  // namespace coir::detail
