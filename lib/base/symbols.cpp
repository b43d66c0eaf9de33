#include "base/symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <unordered_map>

#include "base/unique_fd.hpp"

#if defined(COIR_HAVE_LIBDW)
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#endif

namespace coir::detail {

namespace {

// Every dump of fibers asks for the same few places.
constexpr std::size_t cached_max = 4096;

std::string demangle(const char* name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> plain{abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                            &std::free};
    return status == 0 && plain != nullptr ? plain.get() : name;
}

/// By the mangled name, whose beginning is the namespace; what a lambda of the user's main is called begins otherwise.
bool is_plumbing_function(std::string_view mangled) {
    constexpr std::array<std::string_view, 8> prefixes{"_ZSt",      "_ZNSt",         "_ZNKSt",         "_ZN4coir",
                                                       "_ZNK4coir", "_ZN9__gnu_cxx", "_ZNK9__gnu_cxx", "coir_context"};
    return std::ranges::any_of(prefixes, [&](std::string_view each) { return mangled.starts_with(each); });
}

void name_it(symbol& place, const char* function) {
    if (function == nullptr) return;
    place.function = demangle(function);
    if (place.file.empty()) place.is_plumbing = is_plumbing_function(function);
}

// ---- which module, and the symbol table of its file ----------------------------------------------------------------

/// An executable's or library's file, to look up functions that dladdr(3) does not know: those that are not exported.
class module_file {
public:
    explicit module_file(const std::string& path) {
        const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        struct stat about {};
        if (!file || ::fstat(file.get(), &about) != 0 || about.st_size < static_cast<off_t>(sizeof(ElfW(Ehdr)))) return;
        bytes_ = static_cast<std::size_t>(about.st_size);
        void* const mapped = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (mapped == MAP_FAILED) return;
        data_ = static_cast<const char*>(mapped);
        if (std::string_view{data_, SELFMAG} != std::string_view{ELFMAG, SELFMAG}) return;
        if (!find_symbols(SHT_SYMTAB)) find_symbols(SHT_DYNSYM);
    }
    ~module_file() {
        if (data_ != nullptr) ::munmap(const_cast<char*>(data_), bytes_);
    }
    module_file(const module_file&) = delete;
    module_file& operator=(const module_file&) = delete;

    /// The name of the function at an address as the file counts it; nullptr when there is none.
    [[nodiscard]] const char* function_at(std::uintptr_t address) const {
        for (const ElfW(Sym) & each : symbols_) {
            const unsigned type = each.st_info & 0xfU;
            const bool holds =
                address >= each.st_value && address - each.st_value < std::max<std::size_t>(each.st_size, 1);
            if (holds && (type == STT_FUNC || type == STT_GNU_IFUNC) && each.st_name < names_.size()) {
                return names_.data() + each.st_name;
            }
        }
        return nullptr;
    }

private:
    template <class T> std::span<const T> table(std::size_t offset, std::size_t bytes) const {
        if (offset > bytes_ || bytes > bytes_ - offset) return {};
        return {reinterpret_cast<const T*>(data_ + offset), bytes / sizeof(T)};
    }

    bool find_symbols(unsigned type) {
        const auto& header = *reinterpret_cast<const ElfW(Ehdr)*>(data_);
        const auto sections = table<ElfW(Shdr)>(header.e_shoff, header.e_shnum * sizeof(ElfW(Shdr)));
        for (const ElfW(Shdr) & each : sections) {
            if (each.sh_type != type || each.sh_link >= sections.size()) continue;
            const ElfW(Shdr)& names = sections[each.sh_link];
            symbols_ = table<ElfW(Sym)>(each.sh_offset, each.sh_size);
            names_ = table<char>(names.sh_offset, names.sh_size);
            return !symbols_.empty();
        }
        return false;
    }

    const char* data_ = nullptr;
    std::size_t bytes_ = 0;
    std::span<const ElfW(Sym)> symbols_;
    std::span<const char> names_;
};

struct loaded_module {
    std::string path;
    std::uintptr_t load_bias = 0;
};

/// The module that an address lies in; an empty path when it lies in none.
loaded_module module_of(std::uintptr_t address) {
    struct search {
        std::uintptr_t address;
        loaded_module found;
    } search{address, {}};
    ::dl_iterate_phdr(
        [](dl_phdr_info* module, std::size_t, void* data) {
            auto& wanted = *static_cast<struct search*>(data);
            for (unsigned i = 0; i < module->dlpi_phnum; ++i) {
                const ElfW(Phdr)& segment = module->dlpi_phdr[i];
                const std::uintptr_t begin = module->dlpi_addr + segment.p_vaddr;
                if (segment.p_type != PT_LOAD || wanted.address < begin || wanted.address - begin >= segment.p_memsz)
                    continue;
                // The program itself comes without a name.
                const bool has_name = module->dlpi_name != nullptr && *module->dlpi_name != '\0';
                wanted.found = {has_name ? module->dlpi_name : "/proc/self/exe", module->dlpi_addr};
                return 1;
            }
            return 0;
        },
        &search);
    if (search.found.path == "/proc/self/exe") {
        std::error_code unreadable;
        const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unreadable);
        if (!unreadable) search.found.path = program.string();
    }
    return search.found;
}

// ---- debug information ---------------------------------------------------------------------------------------------

#if defined(COIR_HAVE_LIBDW)

/// The folder that this library's sources lie in, ending in '/'; empty when the compiler was told to hide it.
std::string_view source_root() {
    constexpr std::string_view here = __FILE__;
    constexpr std::string_view end = "lib/base/symbols.cpp";
    return here.ends_with(end) ? here.substr(0, here.size() - end.size()) : std::string_view{};
}

bool is_plumbing_file(std::string_view file) {
    if (file.find("/include/coir/") != file.npos || file.find("/include/c++/") != file.npos) return true;
    const std::string_view root = source_root();
    return !root.empty() && file.starts_with(root) && file.substr(root.size()).starts_with("lib/");
}

/// elfutils' view of this process. It never asks the network: separate debug files are found by their build id alone.
class debug_information {
public:
    debug_information() {
        static char* no_path = nullptr;
        static const Dwfl_Callbacks callbacks{
            .find_elf = dwfl_linux_proc_find_elf,
            .find_debuginfo = dwfl_build_id_find_debuginfo,
            .section_address = nullptr,
            .debuginfo_path = &no_path,
        };
        session_ = dwfl_begin(&callbacks);
        if (session_ != nullptr) read_modules();
    }
    ~debug_information() {
        if (session_ != nullptr) dwfl_end(session_);
    }
    debug_information(const debug_information&) = delete;
    debug_information& operator=(const debug_information&) = delete;

    /// Adds to `found` the functions at `address`, innermost first. Adds none without debug information.
    void look_up(std::uintptr_t address, const symbol& base, std::vector<symbol>& found) {
        if (session_ == nullptr) return;
        Dwfl_Module* module = dwfl_addrmodule(session_, address);
        if (module == nullptr) {
            read_modules();  // it may have been loaded since
            module = dwfl_addrmodule(session_, address);
        }
        if (module == nullptr) return;
        Dwarf_Addr bias = 0;
        Dwarf_Die* const unit = unit_of(*module, address, bias);
        if (unit == nullptr) return;
        Dwarf_Line* const source = dwarf_getsrc_die(unit, address - bias);
        if (source == nullptr) return;

        symbol here = base;
        if (const char* file = dwarf_linesrc(source, nullptr, nullptr)) here.file = file;
        dwarf_lineno(source, &here.line);
        Dwarf_Die function;
        if (!find_function(*unit, address - bias, function)) return;
        std::vector<Dwarf_Die> scopes{function};
        while (find_inlined(scopes.back(), address - bias, function)) scopes.push_back(function);
        for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
            here.is_plumbing = is_plumbing_file(here.file);
            name_it(here, name_of(*scope));
            // What was not inlined has a symbol, which says more than a lambda's bare "operator()".
            if (scope == std::prev(scopes.rend())) name_it(here, dwfl_module_addrname(module, address));
            found.push_back(here);
            go_to_call(*unit, *scope, here);
        }
    }

private:
    void read_modules() {
        dwfl_report_begin(session_);
        dwfl_linux_proc_report(session_, ::getpid());
        dwfl_report_end(session_, nullptr, nullptr);
    }

    /// The compilation unit that `address` lies in; `bias` is what the module is moved by. g++ writes a table of them;
    /// clang++ does not, and there each has to be asked.
    static Dwarf_Die* unit_of(Dwfl_Module& module, Dwarf_Addr address, Dwarf_Addr& bias) {
        if (Dwarf_Die* const listed = dwfl_module_addrdie(&module, address, &bias)) return listed;
        Dwarf_Die* unit = nullptr;
        while ((unit = dwfl_module_nextcu(&module, unit, &bias)) != nullptr) {
            if (dwarf_haspc(unit, address - bias) > 0) return unit;
        }
        return nullptr;
    }

    // libdw's own dwarf_getscopes overlooks a function that belongs to a class within another function, a lambda's,
    // say.

    /// The function whose code holds `address`, anywhere within `scope`.
    static bool find_function(Dwarf_Die& scope, Dwarf_Addr address, Dwarf_Die& found) {
        // Most stand at the top of their unit.
        return any_child(scope, found, [&](Dwarf_Die& child) { return is_function_at(child, address); }) ||
               any_child(scope, found, [&](Dwarf_Die& child) {
                   if (!may_hold_functions(child)) return false;
                   Dwarf_Die within = child;
                   return find_function(within, address, child);
               });
    }

    /// The call that was inlined next into `scope` and holds `address`.
    static bool find_inlined(Dwarf_Die& scope, Dwarf_Addr address, Dwarf_Die& found) {
        return any_child(scope, found, [&](Dwarf_Die& child) {
            if (dwarf_haspc(&child, address) <= 0) return false;
            if (dwarf_tag(&child) == DW_TAG_inlined_subroutine) return true;
            Dwarf_Die within = child;
            return dwarf_tag(&child) == DW_TAG_lexical_block && find_inlined(within, address, child);
        });
    }

    /// The first child that `wanted` accepts, or puts in its place.
    template <class Wanted> static bool any_child(Dwarf_Die& parent, Dwarf_Die& found, Wanted wanted) {
        Dwarf_Die child;
        for (int end = dwarf_child(&parent, &child); end == 0; end = dwarf_siblingof(&child, &child)) {
            found = child;
            if (wanted(found)) return true;
        }
        return false;
    }

    static bool is_function_at(Dwarf_Die& entry, Dwarf_Addr address) {
        return dwarf_tag(&entry) == DW_TAG_subprogram && dwarf_haspc(&entry, address) > 0;
    }

    static bool may_hold_functions(Dwarf_Die& entry) {
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

    static const char* name_of(Dwarf_Die& function) {
        Dwarf_Attribute attribute;
        for (const unsigned kind : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name}) {
            if (dwarf_attr_integrate(&function, kind, &attribute) == nullptr) continue;
            if (const char* name = dwarf_formstring(&attribute)) return name;
        }
        return nullptr;
    }

    /// Sets the place to where the inlined function is called.
    static void go_to_call(Dwarf_Die& unit, Dwarf_Die& inlined, symbol& place) {
        Dwarf_Attribute attribute;
        Dwarf_Word number = 0;
        place.file.clear();
        place.line = 0;
        Dwarf_Files* files = nullptr;
        if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &number) == 0 &&
            dwarf_getsrcfiles(&unit, &files, nullptr) == 0) {
            if (const char* file = dwarf_filesrc(files, number, nullptr, nullptr)) place.file = file;
        }
        if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &number) == 0) {
            place.line = static_cast<int>(number);
        }
    }

    Dwfl* session_ = nullptr;
};

#else

struct debug_information {
    void look_up(std::uintptr_t, const symbol&, std::vector<symbol>&) {}
};

#endif

// ---- both together -------------------------------------------------------------------------------------------------

class symbol_source {
public:
    std::vector<symbol> look_up(const void* return_address) {
        const std::lock_guard lock{mutex_};
        if (cached_.size() >= cached_max) cached_.clear();
        const auto [at, is_new] = cached_.try_emplace(return_address);
        if (is_new) at->second = read(reinterpret_cast<std::uintptr_t>(return_address));
        return at->second;
    }

private:
    std::vector<symbol> read(std::uintptr_t return_address) {
        const std::uintptr_t call = return_address == 0 ? 0 : return_address - 1;
        const loaded_module module = module_of(call);
        symbol base;
        base.module = std::filesystem::path{module.path}.filename().string();
        base.offset = return_address - module.load_bias;
        std::vector<symbol> found;
        debug_.look_up(call, base, found);
        if (found.empty()) {
            if (!module.path.empty()) name_it(base, file_of(module.path).function_at(call - module.load_bias));
            found.push_back(std::move(base));
        }
        // Normal paths: the compiler writes them as the include directives lead to them.
        for (symbol& each : found) each.file = std::filesystem::path{each.file}.lexically_normal().string();
        return found;
    }

    const module_file& file_of(const std::string& path) { return files_.try_emplace(path, path).first->second; }

    std::mutex mutex_;
    std::unordered_map<const void*, std::vector<symbol>> cached_;
    std::unordered_map<std::string, module_file> files_;
    debug_information debug_;
};

}  // namespace

std::vector<symbol> symbolise(const void* return_address) {
    // Never destroyed: a thread may still ask while the program's static objects are.
    static symbol_source& source = *new symbol_source;
    return source.look_up(return_address);
}

std::string describe(const symbol& place) {
    if (!place.file.empty()) return place.file + ':' + std::to_string(place.line);
    std::array<char, 32> offset;
    std::snprintf(offset.data(), offset.size(), "+0x%zx", static_cast<std::size_t>(place.offset));
    const std::string in_module = place.module.empty() ? "unknown" : place.module + offset.data();
    return place.function.empty() ? in_module : place.function + " (" + in_module + ')';
}

std::string describe_call_site(const void* return_address) {
    const std::vector<symbol> found = symbolise(return_address);
    const auto users = std::ranges::find_if(found, [](const symbol& each) { return !each.is_plumbing; });
    return describe(users != found.end() ? *users : found.back());
}

bool has_source_lines() noexcept {
#if defined(COIR_HAVE_LIBDW)
    return true;
#else
    return false;
#endif
}

}  // namespace coir::detail
