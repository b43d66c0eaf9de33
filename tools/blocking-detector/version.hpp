#pragma once

#include <string_view>

namespace detector {

/// Of the tool: "0.1.0".
[[nodiscard]] std::string_view tool_version() noexcept;

}  // namespace detector
