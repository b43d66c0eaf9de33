#pragma once

#include "finding.hpp"
#include "pattern.hpp"

#include <optional>
#include <string>

namespace detector {

/// What a user regards as his code, and what as noise. Matched against functions, files and modules.
struct users_code {
    std::optional<pattern> owner;    // none: what has source code, is no plumbing and not the system's
    std::optional<pattern> ignored;  // frames that are left out
};

/// Whether any of a frame's names matches.
[[nodiscard]] bool matches(const pattern& wanted, const frame& each);

/// Takes out of the stack what is ignored.
void leave_out_ignored(const users_code& code, finding& of);

/// Takes source lines out that lead nowhere: of the system's libraries, by the folder that they were built in.
void leave_out_foreign_sources(finding& of);

/// What getaddrinfo, system and their like do within is their affair: the call is theirs, and so is the class.
void name_by_stack(finding& of);

/// Sets `location`: to the innermost frame of the user's code, or what comes closest to it.
void locate(const users_code& code, finding& of);

}  // namespace detector
