#pragma once

#include <coir/log.hpp>

#include <string_view>

/// Messages to the program's log, which `set_log` chooses. Any thread, also while the process exits. Newlines at the
/// end are dropped. Keeps errno.
namespace coir::log {

void info(std::string_view text) noexcept;
void warning(std::string_view text) noexcept;
void error(std::string_view text) noexcept;

}  // namespace coir::log
