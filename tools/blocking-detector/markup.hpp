#pragma once

#include <string>
#include <string_view>

namespace detector {

/// Any bytes as UTF-8: what is none becomes U+FFFD.
[[nodiscard]] std::string as_utf8(std::string_view text);

/// As the text of an element or the value of an attribute, in XML and HTML. Characters that XML forbids become U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace detector
