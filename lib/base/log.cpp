#include "base/log.hpp"

#include <spdlog/spdlog.h>

// The only file that sees spdlog: it takes seconds to compile, and its macros stay here.
namespace coir::log {

namespace {

void write(spdlog::level::level_enum level, std::string_view message) noexcept {
    // A formatter or sink of the program may throw; a line that cannot be logged must not end the fiber that logs it.
    try {
        spdlog::log(level, "coir: {}", message);
    } catch (...) {}
}

}  // namespace

void info(std::string_view message) noexcept { write(spdlog::level::info, message); }

void warning(std::string_view message) noexcept { write(spdlog::level::warn, message); }

void error(std::string_view message) noexcept { write(spdlog::level::err, message); }

}  // namespace coir::log
