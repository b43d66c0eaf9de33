#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct Dwfl_Module;

namespace coir::detail {

/// A function that contains an address, and the source line of that address.
struct code_scope {
    std::string name;     // as `readable_name` makes it; a lambda as "f(int)::{lambda at program.cpp:12}"; may be empty
    std::string mangled;  // the name for the linker; empty when unknown
    std::string file;     // as recorded by the compiler; empty when unknown
    int line = 0;
    bool is_plumbing = false;  // part of coir or the standard library
};

/// Reads the debug information of modules. Defined only if coir is built with libdw.
class dwarf_scopes {
public:
    dwarf_scopes();
    ~dwarf_scopes();
    dwarf_scopes(const dwarf_scopes&) = delete;
    dwarf_scopes& operator=(const dwarf_scopes&) = delete;

    /// The functions at `address` in the address space of the module's Dwfl session: first the functions inlined there,
    /// innermost first, then the function that owns the stack frame. Empty without debug information.
    [[nodiscard]] std::vector<code_scope> at(Dwfl_Module& module, std::uint64_t address);

private:
    class unit_index;

    std::unique_ptr<unit_index> units_;
};

}  // namespace coir::detail
