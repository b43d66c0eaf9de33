#pragma once

#include <string>
#include <string_view>

namespace detector {

/// Escapes a text for use in an element or attribute of XML or HTML. Replaces characters that XML forbids with U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace detector
