#pragma once

#include "read/result.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace detector {

/// Reads findings that were saved: a file of `-o json`, or of lines as `-o jsonl` and COIR_BLOCKING_REPORT write them.
/// Throws `usage_error`, which names the file.
[[nodiscard]] result read_saved_findings(const std::string& path);

/// Calls `use` with each finding of such a file, or of a baseline.
void for_each_in_file(const std::string& path, const std::function<void(const nlohmann::ordered_json&)>& use);

/// The members at the begin of each JSON file of the tool: version and tool.
[[nodiscard]] nlohmann::ordered_json head_of_file();

/// The finding as the line of JSON has it.
[[nodiscard]] nlohmann::ordered_json to_object(const finding& what);

}  // namespace detector
