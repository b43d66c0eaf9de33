#include "base/symbols.hpp"

#include "base/debug_information.hpp"
#include "base/elf_file.hpp"
#include "base/function_name.hpp"
#include "base/log.hpp"
#include "base/per_process.hpp"
#include "base/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <link.h>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace coir::detail {

namespace {

// A limit for the cache only: the dumps of fibers repeat the same few addresses.
constexpr std::size_t cached_max = 4096;

void set_function(symbol& location, const char* function) {
    if (function == nullptr) return;
    location.function = readable_name(function);
    location.is_plumbing = is_plumbing_function(function);
}

// ---- modules --------------------------------------------------------------------------------------------------------

struct loaded_module {
    std::string path;
    std::uintptr_t load_bias = 0;
};

/// The module that contains the address. The path is empty if there is none.
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
                // dl_iterate_phdr reports the program itself without a name.
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

// ---- the combined look-up -------------------------------------------------------------------------------------------

class symbol_source {
public:
    std::vector<symbol> look_up(const void* return_address, const void* caller) {
        const std::lock_guard lock{mutex_};
        learn({&return_address, 1});
        std::vector<symbol> found = cached_.at(return_address);
        if (caller != nullptr && found.back().function.empty()) name_by_caller(found.back(), return_address, caller);
        return found;
    }

    void look_up_all(std::span<const void* const> return_addresses) {
        const std::lock_guard lock{mutex_};
        learn(return_addresses);
    }

    std::string take_message() {
        const std::lock_guard lock{mutex_};
        return debug_.take_message();
    }

private:
    void learn(std::span<const void* const> return_addresses) {
        const auto is_known = [&](const void* each) { return cached_.contains(each); };
        if (std::ranges::all_of(return_addresses, is_known)) return;
        if (cached_.size() > cached_max) cached_.clear();
        std::vector<const void*> unknown{return_addresses.begin(), return_addresses.end()};
        std::erase_if(unknown, is_known);
        std::ranges::sort(unknown);
        unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
        std::vector<std::uintptr_t> calls;
        for (const void* const each : unknown) calls.push_back(call_before(each));
        const debug_information::functions functions = debug_.look_up(calls);
        for (std::size_t i = 0; i < unknown.size(); ++i)
            cached_.insert_or_assign(unknown[i], read(unknown[i], functions[i]));
    }

    static std::uintptr_t call_before(const void* return_address) noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(return_address);
        return address == 0 ? 0 : address - 1;
    }

    void name_by_caller(symbol& function, const void* return_address, const void* caller) {
        const loaded_module library = module_of(call_before(return_address));
        const loaded_module from = module_of(call_before(caller));
        if (library.path.empty() || from.path.empty()) return;
        const std::uintptr_t in_caller = reinterpret_cast<std::uintptr_t>(caller) - from.load_bias;
        const std::string name{file_of(from.path).called_function(in_caller, file_of(library.path))};
        if (name.empty()) return;
        function.function = printable(readable_name(name));
        function.is_plumbing |= is_plumbing_function(name);
    }

    std::vector<symbol> read(const void* return_address, const std::vector<code_scope>& functions) {
        const std::uintptr_t call = call_before(return_address);
        const loaded_module module = module_of(call);
        symbol base;
        base.module = printable(std::filesystem::path{module.path}.filename().string());
        base.offset = reinterpret_cast<std::uintptr_t>(return_address) - module.load_bias;
        std::vector<symbol> found;
        for (const code_scope& each : functions) {
            symbol& here = found.emplace_back(base);
            here.function = each.name;
            here.file = each.file;
            here.line = each.line;
            here.is_plumbing = each.is_plumbing;
        }
        if (found.empty()) {
            if (!module.path.empty()) set_function(base, file_of(module.path).function_at(call - module.load_bias));
            found.push_back(std::move(base));
        }
        const bool in_system_library = is_system_library(module.path);
        for (symbol& each : found) {
            each.is_plumbing |= in_system_library;
            // The compiler records paths as the include directives spell them, so they are normalised. A relative path
            // from the debug information of a system library refers to the machine that built it.
            const bool is_foreign = in_system_library && !each.file.starts_with('/');
            each.file = is_foreign ? "" : printable(std::filesystem::path{each.file}.lexically_normal().string());
            each.function = printable(each.function);
        }
        return found;
    }

    const elf_file& file_of(const std::string& path) { return files_.try_emplace(path, path).first->second; }

    std::mutex mutex_;
    std::unordered_map<const void*, std::vector<symbol>> cached_;
    std::unordered_map<std::string, elf_file> files_;
    debug_information debug_;
};

symbol_source& source() {
    // Never destroyed: a thread may still look up symbols while static objects are destroyed.
    // A child of fork has its own: another thread may have held the lock of this one.
    static constinit per_process<symbol_source> made;
    return made.get();
}

void log_failure() {
    if (const std::string message = source().take_message(); !message.empty()) log::warning(message);
}

}  // namespace

std::vector<symbol> symbolise(const void* return_address, const void* caller) {
    std::vector<symbol> found = source().look_up(return_address, caller);
    log_failure();
    return found;
}

void look_up_symbols(std::span<const void* const> return_addresses) {
    source().look_up_all(return_addresses);
    log_failure();
}

std::string describe(const symbol& location) {
    if (!location.file.empty()) return location.file + ':' + std::to_string(location.line);
    std::array<char, 32> offset;
    std::snprintf(offset.data(), offset.size(), "+0x%zx", static_cast<std::size_t>(location.offset));
    const std::string in_module = location.module.empty() ? "unknown" : location.module + offset.data();
    return location.function.empty() ? in_module : location.function + " (" + in_module + ')';
}

std::string describe_call_site(const void* return_address) {
    const std::vector<symbol> found = symbolise(return_address);
    const auto user_code = std::ranges::find_if(found, [](const symbol& each) { return !each.is_plumbing; });
    return describe(user_code != found.end() ? *user_code : found.back());
}

bool is_system_library(std::string_view path) noexcept {
    return path.starts_with("/lib") || path.starts_with("/usr/lib") || path.starts_with("/usr/local/lib");
}

bool has_source_lines() noexcept {
#if defined(COIR_HAVE_LIBDW)
    return true;
#else
    return false;
#endif
}

}  // namespace coir::detail
