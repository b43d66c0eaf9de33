#pragma once

#include <string_view>

/// The log: spdlog's default logger, so that a program directs and filters it like its own. Any thread.
namespace coir::log {

void info(std::string_view message) noexcept;
void warning(std::string_view message) noexcept;
void error(std::string_view message) noexcept;

}  // namespace coir::log
