#pragma once

#include "detect/finding/finding.hpp"

#include <functional>
#include <string>

namespace coir::detail {

/// How to tell the user's code from that of others.
struct users_code {
    std::string source_root;                      // folder of the user's sources, absolute; empty: unknown
    std::function<bool(const frame&)> owner{};    // if set, a frame that it takes is the user's code
    std::function<bool(const frame&)> ignored{};  // if set, frames that it takes are removed
};

/// Prepares a finding whose stack has just been read:
///
/// - Removes ignored frames, and source lines of system libraries, which are relative to where the library was built.
/// - Sets `location` to the innermost frame of the user's code: one that the owner takes; else one whose source exists
///   under the source root; else one whose source exists on this machine; else one with a source; else one in the program.
/// - Replaces the call by the function that describes it better and that the user has called: getaddrinfo, system,
///   pthread_mutex_lock. Removes the frames inside that function.
/// - Sets `rule` for what the stack tells: locks inside the memory allocator.
void find_users_frame(const users_code& code, finding& of);

/// Sets `location` alone, for a finding whose stack was read earlier.
void locate(const users_code& code, finding& of);

}  // namespace coir::detail
