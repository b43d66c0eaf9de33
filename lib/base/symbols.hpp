#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// A location in the code, with what the symbols of its module say about it.
struct symbol {
    std::string function;       // demangled; empty when unknown
    std::string module;         // file name of the executable or library
    std::uintptr_t offset = 0;  // from the load address of the module
    std::string file;           // empty without debug information or without COIR_SYMBOLS
    int line = 0;
    bool is_plumbing = false;  // part of coir, the standard library or a system library: not the user's code
};

/// The functions at the call before a return address: first the functions inlined there, innermost first, then the
/// function that owns the stack frame. Never empty. Reads files and allocates: not for signal handlers. May be called
/// on any thread. The texts are printable.
///
/// Debug information is read in a child process (`ask_child`): libdw calls exit(3) or crashes when it has no memory, and
/// this process must survive that. Without a child, and if it dies, there are no files and lines.
///
/// `caller` is the return address of the next frame of the stack, if known. A library without debug information has no
/// names for its internal functions. One that stands for an exported function, which left the stack with a tail call, has
/// the name of that function: the one that `caller`, in another module, has called.
std::vector<symbol> symbolise(const void* return_address, const void* caller = nullptr);

/// Looks up several return addresses at once, so that `symbolise` knows them. Reading debug information takes a child
/// process, for several as for one.
void look_up_symbols(std::span<const void* const> return_addresses);

/// "file:line" if known, else "function (module+0xoffset)".
std::string describe(const symbol& location);

/// Describes the innermost function that is the user's code, in one line; the outermost function if there is none.
std::string describe_call_site(const void* return_address);

/// Whether the path lies in a folder of system libraries.
bool is_system_library(std::string_view path) noexcept;

/// Whether file and line can be known: true if coir is built with COIR_SYMBOLS.
bool has_source_lines() noexcept;

}  // namespace coir::detail
