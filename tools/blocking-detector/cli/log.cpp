#include "base/default_log.hpp"

#include <string>
#include <unistd.h>

/// @file
/// The log of the tool itself, in place of the library's: so the tool needs no spdlog where it is installed.

namespace coir::log {

bool write_to_spdlog(log_level, std::string_view) noexcept { return false; }

void write_to_standard_error(log_level, std::string_view text) noexcept {
    try {
        const std::string line = "blocking-detector: " + std::string{text} + '\n';
        // A message that cannot be written is lost.
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    } catch (...) {
        // Out of memory: the same.
    }
}

}  // namespace coir::log
