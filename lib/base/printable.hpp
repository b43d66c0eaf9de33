#pragma once

#include <string>
#include <string_view>

namespace coir::detail {

/// The text in UTF-8 without control characters, for logs, terminals and reports: a name that a program makes of a request
/// can neither forge lines nor steer a terminal, nor change the order in which the text around it is shown. A control
/// character becomes "\x1b" or "\u202e"; a byte that is not UTF-8, U+FFFD. Text that is printable stays as it is.
[[nodiscard]] std::string printable(std::string_view text);

/// The same for a text of several lines, such as a message of the log: newlines and tabs stay.
[[nodiscard]] std::string printable_lines(std::string_view text);

/// The text in UTF-8: each byte that is not is replaced by U+FFFD.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace coir::detail
