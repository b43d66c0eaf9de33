#pragma once

#include <coir/log.hpp>

#include <initializer_list>
#include <string_view>

/// Writes messages to the program's log, as chosen with `set_log`. May be called on any thread, also while the process
/// exits. Trailing newlines are removed. Preserves errno.
namespace coir::log {

void info(std::string_view text) noexcept;
void warning(std::string_view text) noexcept;
void error(std::string_view text) noexcept;

/// The same for a text in parts, where an exception would end the program: without memory to join them, each part is a
/// message of its own.
void write_joined(log_level level, std::initializer_list<std::string_view> parts) noexcept;

/// Whether the calling thread is in coir's own log function: the detector does not report the files that it looks at.
/// Safe in signal handlers.
[[nodiscard]] bool is_in_default_log() noexcept;

}  // namespace coir::log
