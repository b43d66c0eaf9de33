#include "base/dwarf_scopes.hpp"

#if defined(COIR_HAVE_LIBDW)

#include "base/function_name.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <iterator>
#include <string_view>

namespace coir::detail {

namespace {

/// The folder of this library's sources, ending in '/'. Empty if the compiler was told to hide it (as by
/// -ffile-prefix-map).
std::string_view source_root() {
    constexpr std::string_view here = __FILE__;
    constexpr std::string_view end = "lib/base/dwarf_scopes.cpp";
    return here.ends_with(end) ? here.substr(0, here.size() - end.size()) : std::string_view{};
}

bool is_plumbing_file(std::string_view file) {
    if (file.starts_with("include/coir/") || file.find("/include/coir/") != file.npos ||
        file.find("/include/c++/") != file.npos)
        return true;
    const std::string_view root = source_root();
    return !root.empty() && file.starts_with(root) && file.substr(root.size()).starts_with("lib/");
}

/// The compilation unit that contains `address`. Sets `bias` to the offset at which the module is loaded. g++ writes a
/// table of address ranges; clang++ does not, so each unit is tested.
Dwarf_Die* unit_of(Dwfl_Module& module, Dwarf_Addr address, Dwarf_Addr& bias) {
    if (Dwarf_Die* const listed = dwfl_module_addrdie(&module, address, &bias)) return listed;
    Dwarf_Die* unit = nullptr;
    while ((unit = dwfl_module_nextcu(&module, unit, &bias)) != nullptr) {
        if (dwarf_haspc(unit, address - bias) > 0) return unit;
    }
    return nullptr;
}

/// Finds the first child that `wanted` accepts. `wanted` may replace the child with a descendant.
template <class Wanted> bool any_child(Dwarf_Die& parent, Dwarf_Die& found, Wanted wanted) {
    Dwarf_Die child;
    for (int end = dwarf_child(&parent, &child); end == 0; end = dwarf_siblingof(&child, &child)) {
        found = child;
        if (wanted(found)) return true;
    }
    return false;
}

bool is_function_at(Dwarf_Die& entry, Dwarf_Addr address) {
    return dwarf_tag(&entry) == DW_TAG_subprogram && dwarf_haspc(&entry, address) > 0;
}

bool may_hold_functions(Dwarf_Die& entry) {
    switch (dwarf_tag(&entry)) {
    case DW_TAG_namespace:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block: return dwarf_haschildren(&entry) > 0;
    default: return false;
    }
}

/// Finds the function whose code contains `address`, at any depth within `scope`. libdw's own dwarf_getscopes misses a
/// member of a class that is defined within another function, such as the call operator of a lambda.
bool find_function(Dwarf_Die& scope, Dwarf_Addr address, Dwarf_Die& found) {
    // Most functions are direct children of their unit.
    return any_child(scope, found, [&](Dwarf_Die& child) { return is_function_at(child, address); }) ||
           any_child(scope, found, [&](Dwarf_Die& child) {
               if (!may_hold_functions(child)) return false;
               Dwarf_Die within = child;
               return find_function(within, address, child);
           });
}

/// Finds the outermost call that was inlined into `scope` and contains `address`.
bool find_inlined(Dwarf_Die& scope, Dwarf_Addr address, Dwarf_Die& found) {
    return any_child(scope, found, [&](Dwarf_Die& child) {
        if (dwarf_haspc(&child, address) <= 0) return false;
        if (dwarf_tag(&child) == DW_TAG_inlined_subroutine) return true;
        Dwarf_Die within = child;
        return dwarf_tag(&child) == DW_TAG_lexical_block && find_inlined(within, address, child);
    });
}

const char* linkage_name(Dwarf_Die& function) {
    Dwarf_Attribute attribute;
    for (const unsigned kind : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name}) {
        if (dwarf_attr_integrate(&function, kind, &attribute) == nullptr) continue;
        if (const char* name = dwarf_formstring(&attribute)) return name;
    }
    return nullptr;
}

/// Sets `location` to the source line at which the inlined function is called.
void set_call_location(Dwarf_Die& unit, Dwarf_Die& inlined, code_scope& location) {
    Dwarf_Attribute attribute;
    Dwarf_Word number = 0;
    location.file.clear();
    location.line = 0;
    Dwarf_Files* files = nullptr;
    if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &number) == 0 &&
        dwarf_getsrcfiles(&unit, &files, nullptr) == 0) {
        if (const char* file = dwarf_filesrc(files, number, nullptr, nullptr)) location.file = file;
    }
    if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &number) == 0) {
        location.line = static_cast<int>(number);
    }
}

/// Sets the name, and from it `is_plumbing`. If the source file is known, only the file decides.
void set_name(code_scope& location, const char* name) {
    location.name = name != nullptr ? name : "";
    location.is_plumbing =
        location.file.empty() ? is_plumbing_function(location.name) : is_plumbing_file(location.file);
}

/// The function that owns the stack frame at `address`, and the functions inlined into it, outermost first.
std::vector<Dwarf_Die> functions_at(Dwarf_Die& unit, Dwarf_Addr address) {
    Dwarf_Die function;
    if (!find_function(unit, address, function)) return {};
    std::vector<Dwarf_Die> found{function};
    while (find_inlined(found.back(), address, function)) found.push_back(function);
    return found;
}

}  // namespace

std::vector<code_scope> scopes_at(Dwfl_Module& module, std::uint64_t address) {
    Dwarf_Addr bias = 0;
    Dwarf_Die* const unit = unit_of(module, address, bias);
    if (unit == nullptr) return {};
    Dwarf_Line* const source = dwarf_getsrc_die(unit, address - bias);
    if (source == nullptr) return {};

    code_scope here;
    if (const char* file = dwarf_linesrc(source, nullptr, nullptr)) here.file = file;
    dwarf_lineno(source, &here.line);
    std::vector<code_scope> found;
    std::vector<Dwarf_Die> functions = functions_at(*unit, address - bias);
    for (auto each = functions.rbegin(); each != functions.rend(); ++each) {
        // A function that was not inlined has a symbol, which says more than the bare "operator()" of a lambda.
        const char* const exported =
            each == std::prev(functions.rend()) ? dwfl_module_addrname(&module, address) : nullptr;
        set_name(here, exported != nullptr ? exported : linkage_name(*each));
        found.push_back(here);
        set_call_location(*unit, *each, here);
    }
    return found;
}

}  // namespace coir::detail

#endif
