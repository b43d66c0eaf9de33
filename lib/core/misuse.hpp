#pragma once

#include <system_error>

namespace coir::detail {

/// For the caller who broke the contract of a lock or a handle, as the standard has it.
[[noreturn, gnu::cold]] inline void throw_misuse(std::errc what, const char* operation) {
    throw std::system_error{std::make_error_code(what), operation};
}

}  // namespace coir::detail
