#pragma once

#include <coir/blocking.hpp>

#include <string>

namespace coir::detail {

/// The options of blocking detection for a run, including the environment variables.
struct settings {
    blocking_options options;      // `engine` is watch, hooks or trap
    std::string report_path{};     // file for JSON lines; empty: none
    std::string records_folder{};  // folder for record files; empty: none
};

/// Environment variables override `requested`. Throws `std::invalid_argument`, which names the variable and its allowed
/// values.
[[nodiscard]] settings read_settings(const blocking_options& requested);

}  // namespace coir::detail
