#pragma once

#include <coir/log_level.hpp>

#include <string_view>

/// The default destinations of log messages, used if the program has set no log function or if that has thrown.
namespace coir::log {

/// Logs to the program's spdlog logger named `coir`. False if there is no such logger or if it has thrown.
[[nodiscard]] bool write_to_spdlog(log_level level, std::string_view text) noexcept;

/// The message is lost if the descriptor is closed or its disk is full.
void write_to_standard_error(log_level level, std::string_view text) noexcept;

}  // namespace coir::log
