#pragma once

#include <coir/blocking.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace detector {

/// A function on a stack. One that was inlined stands above the one that it was inlined into.
struct frame {
    std::string function;  // demangled; empty when unknown
    std::string file;      // as the program's debug information has it, without `--strip-prefix`; empty when unknown
    int line = 0;          // 0 when unknown
    std::string module;    // the path of the program or library
    std::uint64_t offset = 0;  // of the return address in the module
    bool plumbing = false;     // of coir or the C++ library: not what a user looks for
};

/// One place at which fibers held their thread, in all runs together.
struct finding {
    coir::blocking_kind kind = coir::blocking_kind::blocked;
    coir::blocking_class category = coir::blocking_class::other;
    std::string call;  // `nanosleep`, `getaddrinfo`; empty for a hog
    std::uint64_t count = 0;
    double total_ms = 0;
    double max_ms = 0;
    bool goes_on = false;           // it had not come back when the program ended
    bool waits_for_itself = false;  // for a lock that a fiber of the same thread holds
    std::string fiber;              // the name of the first one seen there, or "#7"
    std::string spawned_at;         // "file:line", or "function (module+0xoffset)"
    std::vector<frame> stack;       // innermost first
    int location = -1;              // of `stack`: the user's line; -1 for none
    std::string fingerprint;        // the same for the same place in another build, on another machine
    std::string suppressed_by;      // the rule, "baseline", or empty
};

/// What the tool has found out about a program: what every report is rendered from.
struct result {
    std::string program;            // the command line, or the files that were read
    std::vector<finding> findings;  // the most important first: unsuppressed, then by total time
    std::vector<std::string>
        notes;           // what a reader has to know: a missing engine, places left out, unused suppressions
    std::string engine;  // what looked: "trap", "hooks", "watch", or "" when no run of coir was seen
};

}  // namespace detector
