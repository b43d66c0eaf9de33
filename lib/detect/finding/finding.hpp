#pragma once

#include <coir/blocking.hpp>

#include "detect/calls/known_calls.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace coir::detail {

/// A function on a stack. An inlined function has its own frame, before that of the function it was inlined into.
struct frame {
    std::string function;           // demangled; empty when unknown
    std::string file;               // from the debug information; empty when unknown
    int line = 0;                   // 0 when unknown
    std::string module;             // path of the program or library
    std::uint64_t offset = 0;       // of the return address in the module
    bool plumbing = false;          // internal function of coir or the C++ library, not interesting to a user
    const void* address = nullptr;  // return address in this process; nullptr: read from a file
};

/// One location at which fibers held their thread. The log, `blocking_report` and blocking-detector's reports are all
/// made of it.
struct finding {
    blocking_kind kind = blocking_kind::blocked;
    blocking_level level = blocking_level::error;
    level_rule rule = level_rule::by_call;
    blocking_class category = blocking_class::other;
    std::string call;         // the same under every engine: `nanosleep`, `getaddrinfo`; empty for a hog
    std::uint64_t count = 0;  // a finding that blocked does not count the calls that did not
    double total_ms = 0;
    double max_ms = 0;
    double fibers_ran_ms = 0;        // in all runs in which it was seen; 0: unknown
    bool goes_on = false;            // the call had not returned when it was observed, or when the program ended
    bool waits_for_itself = false;   // waits for a lock that a fiber of the same thread holds
    std::uint64_t fiber_id = 0;      // of the first fiber observed there; 0 if it does not matter
    std::string fiber;               // its name, or "#7"
    std::string spawned_at;          // "file:line", or "function (module+0xoffset)"
    std::string test_case;           // in which it was seen first; empty if there is none
    std::vector<frame> stack;        // innermost first: that of the longest time
    int location = -1;               // index in `stack` of the user's frame; -1 for none
    std::uint64_t stacks = 1;        // number of stacks that lead to this location
    std::string fingerprint;         // identifies the location across engines, builds and machines (identity.hpp)
    std::string coarse_fingerprint;  // the same without the source; equal to `fingerprint` if there is no source
    std::string suppressed_by;       // the rule, "baseline", or empty
};

/// Makes every text `printable`. Called where a finding is made, so that its readers need not: the names come from a
/// program, a record or a file, which may be hostile.
void make_printable(finding& what);

}  // namespace coir::detail
