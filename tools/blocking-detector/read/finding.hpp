#pragma once

#include <coir/blocking.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace detector {

/// A function on a stack. An inlined function has its own frame, before that of the function it was inlined into.
struct frame {
    std::string function;      // demangled; empty when unknown
    std::string file;          // from the debug information, without `--strip-prefix`; empty when unknown
    int line = 0;              // 0 when unknown
    std::string module;        // path of the program or library
    std::uint64_t offset = 0;  // of the return address in the module
    bool plumbing = false;     // internal function of coir or the C++ library, not interesting to a user
};

/// One location at which fibers held their thread, merged over all runs.
struct finding {
    coir::blocking_kind kind = coir::blocking_kind::blocked;
    coir::blocking_class category = coir::blocking_class::other;
    std::string call;  // `nanosleep`, `getaddrinfo`; empty for a hog
    std::uint64_t count = 0;
    double total_ms = 0;
    double max_ms = 0;
    bool goes_on = false;           // the call had not returned when the program ended
    bool waits_for_itself = false;  // waits for a lock that a fiber of the same thread holds
    std::string fiber;              // name of the first fiber observed there, or "#7"
    std::string spawned_at;         // "file:line", or "function (module+0xoffset)"
    std::vector<frame> stack;       // innermost first
    int location = -1;              // index in `stack` of the user's frame; -1 for none
    std::string fingerprint;        // identifies the location across builds and machines
    std::string suppressed_by;      // the rule, "baseline", or empty
};

/// The findings in a program. All reports are rendered from it.
struct result {
    std::string program;             // the command line, or the files that were read
    std::vector<finding> findings;   // most important first: unsuppressed before suppressed, then by total time
    std::vector<std::string> notes;  // for the reader: a missing engine, omitted locations, unused suppressions
    std::string engine;              // weakest engine used: "trap", "hooks", "watch"; "" without a run of coir
};

}  // namespace detector
