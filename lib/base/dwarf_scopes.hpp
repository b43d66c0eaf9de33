#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Dwfl_Module;

namespace coir::detail {

/// A function that contains an address, and the source line of that address.
struct code_scope {
    std::string name;  // mangled; empty when unknown
    std::string file;  // as recorded by the compiler; empty when unknown
    int line = 0;
    bool is_plumbing = false;  // part of coir or the standard library
};

/// The functions at `address` in the address space of the module's Dwfl session: first the functions inlined there,
/// innermost first, then the function that owns the stack frame. Empty without debug information. Defined only if coir
/// is built with libdw.
[[nodiscard]] std::vector<code_scope> scopes_at(Dwfl_Module& module, std::uint64_t address);

}  // namespace coir::detail
