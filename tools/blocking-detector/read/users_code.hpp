#pragma once

#include "read/finding.hpp"
#include "read/pattern.hpp"

#include <optional>
#include <string>

namespace detector {

/// The patterns of `--owner` and `--ignore-frames`. Matched against functions, files and modules.
struct users_code {
    std::optional<pattern> owner;  // the user's code; none: frames with a source file, not plumbing or system libraries
    std::optional<pattern> ignored;  // frames to remove
};

/// Whether the function, file or module of a frame matches.
[[nodiscard]] bool matches(const pattern& wanted, const frame& each);

/// Removes the ignored frames from the stack.
void leave_out_ignored(const users_code& code, finding& of);

/// Removes source lines in system libraries whose paths are relative to the folder in which the library was built.
void leave_out_foreign_sources(finding& of);

/// If the stack contains getaddrinfo, system or a similar function, makes the finding one of a call of that function:
/// sets its name and class, and removes the frames inside it.
void name_by_stack(finding& of);

/// Sets `location` to the innermost frame of the user's code, or to the best substitute.
void locate(const users_code& code, finding& of);

}  // namespace detector
