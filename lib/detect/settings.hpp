#pragma once

#include <coir/blocking.hpp>

#include <string>

namespace coir::detail {

/// What a run does about blocking, once the environment was asked.
struct settings {
    blocking_options options;      // `engine` is watch, hooks or trap
    std::string report_path{};     // of JSON lines; empty: none
    std::string records_folder{};  // of record files; empty: none
};

/// Throws `std::invalid_argument`, naming the variable and what it may be.
[[nodiscard]] settings read_settings(const blocking_options& asked);

}  // namespace coir::detail
