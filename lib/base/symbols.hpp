#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// A place in the program's code, as far as its symbols tell.
struct symbol {
    std::string function;       // demangled; empty when unknown
    std::string module;         // the executable's or library's file name
    std::uintptr_t offset = 0;  // from the module's load address
    std::string file;           // empty without debug information, or without COIR_SYMBOLS
    int line = 0;
    bool is_plumbing = false;  // of coir or the standard library: not what a user looks for
};

/// The functions at a return address (of the call before it): those inlined there first, the innermost on top, then the
/// one whose frame it is. Never empty. Reads files and allocates: not for signal handlers. Any thread.
std::vector<symbol> symbolise(const void* return_address);

/// "file:line" where that is known, else "function (module+0xoffset)".
std::string describe(const symbol& location);

/// The place in the user's code, in one line: the innermost function that is no plumbing.
std::string describe_call_site(const void* return_address);

/// Whether the module at that path lies where the system's libraries do.
bool is_system_library(std::string_view path) noexcept;

/// Whether file and line can be had at all: built with COIR_SYMBOLS.
bool has_source_lines() noexcept;

}  // namespace coir::detail
