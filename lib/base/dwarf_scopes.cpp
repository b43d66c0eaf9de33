#include "base/dwarf_scopes.hpp"

#if defined(COIR_HAVE_LIBDW)

#include "base/function_name.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

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

/// Whether the file lies in a folder like those of this library's sources, wherever these were: ccache (base_dir) and
/// -ffile-prefix-map record other paths.
bool is_in_layer(std::string_view file) {
    constexpr std::array<std::string_view, 10> layers{"lib/base/",    "lib/core/",  "lib/sync/",    "lib/thread/",
                                                      "lib/io/",      "lib/net/",   "lib/process/", "lib/run/",
                                                      "lib/prefork/", "lib/detect/"};
    return std::ranges::any_of(layers, [file](std::string_view each) { return file.find(each) != file.npos; });
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

const char* text_of(Dwarf_Die& function, unsigned kind) {
    Dwarf_Attribute attribute;
    const bool is_set = dwarf_attr_integrate(&function, kind, &attribute) != nullptr;
    const char* const text = is_set ? dwarf_formstring(&attribute) : nullptr;
    return text != nullptr ? text : "";
}

std::string linkage_name(Dwarf_Die& function) {
    const std::string name = text_of(function, DW_AT_linkage_name);
    return name.empty() ? text_of(function, DW_AT_MIPS_linkage_name) : name;
}

/// The source file that an attribute of the entry names. (libdw's dwarf_decl_file takes the first file of a table of
/// DWARF 5, number 0, for none.)
std::string file_of(Dwarf_Die& entry, unsigned attribute_name) {
    Dwarf_Attribute attribute;
    Dwarf_Word number = 0;
    Dwarf_Files* files = nullptr;
    Dwarf_Die unit;
    if (dwarf_formudata(dwarf_attr(&entry, attribute_name, &attribute), &number) != 0 ||
        dwarf_diecu(&entry, &unit, nullptr, nullptr) == nullptr || dwarf_getsrcfiles(&unit, &files, nullptr) != 0)
        return {};
    const char* const file = dwarf_filesrc(files, number, nullptr, nullptr);
    return file != nullptr ? file : "";
}

int line_of(Dwarf_Die& entry, unsigned attribute_name) {
    Dwarf_Attribute attribute;
    Dwarf_Word number = 0;
    const bool is_set = dwarf_formudata(dwarf_attr(&entry, attribute_name, &attribute), &number) == 0;
    return is_set ? static_cast<int>(number) : 0;
}

// ---- names ---------------------------------------------------------------------------------------------------------

/// The first declaration of the function, which stands in the class, namespace or function that it is a member of.
Dwarf_Die declaration_of(Dwarf_Die function) {
    Dwarf_Attribute attribute;
    Dwarf_Die next;
    for (int steps = 0; steps < 8; ++steps) {  // a limit for damaged files
        if (dwarf_formref_die(dwarf_attr(&function, DW_AT_abstract_origin, &attribute), &next) == nullptr &&
            dwarf_formref_die(dwarf_attr(&function, DW_AT_specification, &attribute), &next) == nullptr)
            break;
        function = next;
    }
    return function;
}

/// The entry itself and the entries around it, outwards.
std::vector<Dwarf_Die> scopes_around(Dwarf_Die entry) {
    Dwarf_Die* scopes = nullptr;
    const int count = dwarf_getscopes_die(&entry, &scopes);
    const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owned{scopes, &std::free};
    return count > 0 ? std::vector<Dwarf_Die>(scopes, scopes + count) : std::vector<Dwarf_Die>{entry};
}

/// Whether the entry is the class of a lambda. clang++ gives it no name, g++ one such as "<lambda(int)>".
bool is_closure(Dwarf_Die& entry) {
    const int tag = dwarf_tag(&entry);
    if (tag != DW_TAG_class_type && tag != DW_TAG_structure_type) return false;
    const char* const name = dwarf_diename(&entry);
    return name == nullptr || std::string_view{name}.starts_with("<lambda");
}

/// Whether a member of a closure runs the body of the lambda: the call operator, and the function that a lambda
/// without captures converts to.
bool runs_lambda(std::string_view member) {
    return member.starts_with("operator()") || member == "_FUN" || member == "__invoke";
}

std::string lambda_at(Dwarf_Die& call_operator, Dwarf_Die& closure) {
    for (Dwarf_Die* const each : {&call_operator, &closure}) {
        const std::string file = file_of(*each, DW_AT_decl_file);
        const int line = line_of(*each, DW_AT_decl_line);
        if (file.empty() || line == 0) continue;
        return "{lambda at " + file.substr(file.rfind('/') + 1) + ':' + std::to_string(line) + '}';
    }
    return "{lambda}";
}

std::string name_of_function(Dwarf_Die& function);

/// The name of the innermost of these scopes that has one, with the scopes around it, ending in "::".
std::string prefix_of(std::span<Dwarf_Die> scopes) {
    for (; !scopes.empty(); scopes = scopes.subspan(1)) {
        Dwarf_Die& scope = scopes.front();
        switch (dwarf_tag(&scope)) {
        case DW_TAG_subprogram: {
            const std::string name = name_of_function(scope);
            return name.empty() ? name : name + "::";
        }
        case DW_TAG_namespace:
        case DW_TAG_class_type:
        case DW_TAG_structure_type:
        case DW_TAG_union_type: {
            const char* const name = dwarf_diename(&scope);
            const char* const unnamed = dwarf_tag(&scope) == DW_TAG_namespace ? "(anonymous namespace)" : "{unnamed}";
            return prefix_of(scopes.subspan(1)) + (name != nullptr ? name : unnamed) + "::";
        }
        default: break;
        }
    }
    return {};
}

/// The same from the mangled name of a lambda's function. clang++ puts a lambda beside the function that holds it, or into
/// a function without a name.
std::string prefix_of_lambda(const std::string& linkage) {
    const std::string name = readable_name(linkage);
    std::size_t end = 0;
    for (const char* const each : {"::{lambda(", "::$_"}) {
        if (const std::size_t at = name.rfind(each); at != name.npos) end = std::max(end, at + 2);
    }
    return name.substr(0, end);
}

/// Named in the same way whether the function was inlined or not.
std::string name_of_function(Dwarf_Die& function) {
    const std::string linkage = linkage_name(function);
    const std::string name = text_of(function, DW_AT_name);
    if (!linkage.empty() && !runs_lambda(name)) return readable_name(linkage);
    std::vector<Dwarf_Die> scopes = scopes_around(declaration_of(function));
    const std::span<Dwarf_Die> around = std::span{scopes}.subspan(1);
    if (!around.empty() && runs_lambda(name) && is_closure(around.front())) {
        const std::string mangled = prefix_of_lambda(linkage);
        const std::string prefix = prefix_of(around.subspan(1));
        return (prefix.size() < mangled.size() ? mangled : prefix) + lambda_at(scopes.front(), around.front());
    }
    return !linkage.empty() ? readable_name(linkage) : prefix_of(around) + name;
}

// ---- locations -----------------------------------------------------------------------------------------------------

/// Sets the names, and `is_plumbing`. If the source file is known, the name alone does not decide: programs may have
/// functions in the namespace coir.
void set_name(code_scope& location, Dwarf_Die& function, const char* symbol) {
    location.name = name_of_function(function);
    location.mangled = linkage_name(function);
    if (location.mangled.empty() && symbol != nullptr) {
        location.mangled = symbol;
        // The symbol of a function without a linkage name has its parameters. No symbol tells where a lambda is.
        if (!location.name.ends_with('}')) location.name = readable_name(symbol);
    }
    if (location.mangled.empty()) location.mangled = location.name;
    const bool is_named_so = is_plumbing_function(location.mangled);
    location.is_plumbing = location.file.empty()
                               ? is_named_so
                               : is_plumbing_file(location.file) || (is_named_so && is_in_layer(location.file));
}

/// The function that owns the stack frame at `address`, and the functions inlined into it, outermost first.
std::vector<Dwarf_Die> functions_at(Dwarf_Die& unit, Dwarf_Addr address) {
    Dwarf_Die function;
    if (!find_function(unit, address, function)) return {};
    std::vector<Dwarf_Die> found{function};
    while (find_inlined(found.back(), address, function)) found.push_back(function);
    return found;
}

/// The unit that describes the functions: the one in the .dwo file if the program was compiled with -gsplit-dwarf.
Dwarf_Die with_functions(Dwarf_Die& unit) {
    Dwarf_Die split{};
    const bool has_split = dwarf_cu_info(unit.cu, nullptr, nullptr, nullptr, &split, nullptr, nullptr, nullptr) == 0 &&
                           dwarf_tag(&split) != DW_TAG_invalid;
    return has_split ? split : unit;
}

code_scope location_of(Dwarf_Line& line) {
    code_scope here;
    if (const char* const file = dwarf_linesrc(&line, nullptr, nullptr)) here.file = file;
    dwarf_lineno(&line, &here.line);
    return here;
}

/// Without a description of the functions, as of a .dwo file that is gone, it is not known which calls were inlined.
/// Then the nearest line before `address` in the same function that is the user's stands for them.
code_scope nearest_location(Dwarf_Die& unit, Dwarf_Line& exact, Dwarf_Addr function, Dwarf_Addr address) {
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dwarf_getsrclines(&unit, &lines, &count) != 0) return location_of(exact);
    code_scope nearest = location_of(exact);
    Dwarf_Addr nearest_at = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Dwarf_Line* const line = dwarf_onesrcline(lines, i);
        Dwarf_Addr at = 0;
        if (dwarf_lineaddr(line, &at) != 0 || at < function || at > address || at < nearest_at) continue;
        code_scope here = location_of(*line);
        if (here.line == 0 || is_plumbing_file(here.file)) continue;
        nearest = std::move(here);
        nearest_at = at;
    }
    return nearest;
}

}  // namespace

// ---- units ---------------------------------------------------------------------------------------------------------

/// The compilation units by the addresses of their code. g++ writes such an index into the program (.debug_aranges);
/// clang++ does not, and if only some units have it, libdw finds a neighbour of the right unit.
class dwarf_scopes::unit_index {
public:
    /// The unit that contains `address`; nullptr if there is none. Sets `bias` to the offset at which the module is
    /// loaded.
    Dwarf_Die* unit_at(Dwfl_Module& module, Dwarf_Addr address, Dwarf_Addr& bias) {
        Dwarf_Die* const listed = dwfl_module_addrdie(&module, address, &bias);
        if (listed != nullptr && dwarf_haspc(listed, address - bias) > 0) return listed;
        if (dwfl_module_getdwarf(&module, &bias) == nullptr) return nullptr;
        const auto [known, is_new] = ranges_.try_emplace(&module);
        if (is_new) known->second = ranges_of(module);
        const std::vector<range>& ranges = known->second;
        const auto after = std::ranges::upper_bound(ranges, address - bias, {}, &range::begin);
        return after != ranges.begin() && address - bias < std::prev(after)->end ? std::prev(after)->unit : nullptr;
    }

private:
    struct range {
        Dwarf_Addr begin;
        Dwarf_Addr end;
        Dwarf_Die* unit;
    };

    static std::vector<range> ranges_of(Dwfl_Module& module) {
        std::vector<range> found;
        Dwarf_Addr bias = 0;
        for (Dwarf_Die* unit = nullptr; (unit = dwfl_module_nextcu(&module, unit, &bias)) != nullptr;) {
            Dwarf_Addr base = 0;
            Dwarf_Addr begin = 0;
            Dwarf_Addr end = 0;
            for (std::ptrdiff_t at = 0; (at = dwarf_ranges(unit, at, &base, &begin, &end)) > 0;) {
                // The linker puts functions that it has discarded at address 0.
                if (begin != 0 && begin < end) found.push_back({begin, end, unit});
            }
        }
        std::ranges::sort(found, {}, &range::begin);
        return found;
    }

    std::unordered_map<Dwfl_Module*, std::vector<range>> ranges_;
};

dwarf_scopes::dwarf_scopes() : units_{std::make_unique<unit_index>()} {}
dwarf_scopes::~dwarf_scopes() = default;

std::vector<code_scope> dwarf_scopes::at(Dwfl_Module& module, std::uint64_t address) {
    Dwarf_Addr bias = 0;
    Dwarf_Die* const unit = units_->unit_at(module, address, bias);
    if (unit == nullptr) return {};
    Dwarf_Line* const source = dwarf_getsrc_die(unit, address - bias);
    if (source == nullptr) return {};

    Dwarf_Die described = with_functions(*unit);
    std::vector<Dwarf_Die> functions = functions_at(described, address - bias);
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* const name = dwfl_module_addrinfo(&module, address, &offset, &symbol, nullptr, nullptr, nullptr);
    if (functions.empty()) {
        code_scope only = name != nullptr ? nearest_location(*unit, *source, address - bias - offset, address - bias)
                                          : location_of(*source);
        if (name != nullptr) only.mangled = name;
        only.name = readable_name(only.mangled);
        only.is_plumbing = is_plumbing_file(only.file);
        return {only};
    }
    code_scope here = location_of(*source);
    std::vector<code_scope> found;
    for (auto each = functions.rbegin(); each != functions.rend(); ++each) {
        // Only a function that was not inlined has a symbol.
        set_name(here, *each, each == std::prev(functions.rend()) ? name : nullptr);
        found.push_back(here);
        here.file = file_of(*each, DW_AT_call_file);
        here.line = line_of(*each, DW_AT_call_line);
    }
    return found;
}

}  // namespace coir::detail

#endif
