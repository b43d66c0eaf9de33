#pragma once

#include <system_error>

namespace coir::detail {

/// Reports that the caller broke the contract of a lock or a handle. Throws `std::system_error`, as the standard's
/// locks do.
[[noreturn, gnu::cold]] inline void throw_misuse(std::errc what, const char* message) {
    throw std::system_error{std::make_error_code(what), message};
}

/// The same with the message "operation: why".
[[noreturn, gnu::cold]] inline void throw_misuse(std::errc what, const char* operation, const char* why) {
    throw std::system_error{std::make_error_code(what), std::string{operation} + ": " + why};
}

}  // namespace coir::detail
