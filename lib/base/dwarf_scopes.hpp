#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Dwfl_Module;

namespace coir::detail {

/// A function that control is in, and where in its source.
struct code_scope {
    std::string name;  // mangled; empty when unknown
    std::string file;  // as the compiler wrote it down; empty when unknown
    int line = 0;
    bool is_plumbing = false;  // of coir or the standard library
};

/// The functions at an address of a module, as the session that it belongs to counts addresses: those inlined there
/// first, the innermost on top, then the one whose frame it is. Empty without debug information. Only where coir was
/// built with libdw.
[[nodiscard]] std::vector<code_scope> scopes_at(Dwfl_Module& module, std::uint64_t address);

}  // namespace coir::detail
