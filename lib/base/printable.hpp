#pragma once

#include <string>
#include <string_view>

namespace coir::detail {

/// The text in UTF-8 without control characters, for logs and terminals: a name that a program makes of a request can
/// neither forge lines nor steer a terminal. A control character becomes "\x1b"; a byte that is not UTF-8, U+FFFD.
[[nodiscard]] std::string printable(std::string_view text);

/// The text in UTF-8: each byte that is not is replaced by U+FFFD.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace coir::detail
