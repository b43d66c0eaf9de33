#pragma once

#include <coir/log_level.hpp>

#include <string_view>

/// Where messages go that no function of the program's takes.
namespace coir::log {

/// To the program's spdlog logger named `coir`. False: there is none.
[[nodiscard]] bool write_to_spdlog(log_level level, std::string_view text) noexcept;

/// Where the descriptor is closed or its disk is full, the message is lost.
void write_to_standard_error(log_level level, std::string_view text) noexcept;

}  // namespace coir::log
