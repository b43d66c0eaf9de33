#pragma once

#include <string_view>

namespace detector {

/// The version of the tool, such as "0.1.0".
[[nodiscard]] std::string_view tool_version() noexcept;

}  // namespace detector
