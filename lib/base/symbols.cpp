#include "base/symbols.hpp"

#include "base/child_answer.hpp"
#include "base/dwarf_scopes.hpp"
#include "base/elf_file.hpp"
#include "base/function_name.hpp"
#include "base/log.hpp"
#include "base/per_process.hpp"
#include "base/printable.hpp"
#include "base/read_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <link.h>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <utility>

#if defined(COIR_HAVE_LIBDW)
#include <elfutils/libdwfl.h>
#endif

namespace coir::detail {

namespace {

// A limit for the cache only: the dumps of fibers repeat the same few addresses.
constexpr std::size_t cached_max = 4096;

constexpr std::size_t asked_max = 1024;  // addresses in one question to a child: its answer is limited

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

// ---- debug information ---------------------------------------------------------------------------------------------

#if defined(COIR_HAVE_LIBDW)

/// The checksum of a .gnu_debuglink section: the CRC-32 of the file.
std::uint32_t checksum_of(int file) {
    static const std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < made.size(); ++i) {
            made[i] = i;
            for (int bit = 0; bit < 8; ++bit) made[i] = made[i] >> 1U ^ ((made[i] & 1U) != 0 ? 0xedb88320U : 0U);
        }
        return made;
    }();
    std::uint32_t sum = ~0U;
    std::vector<unsigned char> bytes(std::size_t{1} << 16);
    off_t at = 0;
    for (ssize_t got = 0; (got = ::pread(file, bytes.data(), bytes.size(), at)) > 0; at += got) {
        for (const unsigned char each : std::span{bytes}.first(static_cast<std::size_t>(got))) {
            sum = table[(sum ^ each) & 0xffU] ^ sum >> 8U;
        }
    }
    return ~sum;
}

/// Finds a separate debug file by build id, and by the name in the module's .gnu_debuglink section as gdb does. Like
/// dwfl_standard_find_debuginfo, but never queries a debuginfod server.
int find_debug_file(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base, const char* file,
                    const char* linked, GElf_Word checksum, char** found) {
    const int identified = dwfl_build_id_find_debuginfo(module, data, name, base, file, linked, checksum, found);
    if (identified >= 0 || linked == nullptr || file == nullptr) return identified;
    const std::filesystem::path folder = std::filesystem::path{file}.parent_path();
    const std::filesystem::path system = "/usr/lib/debug";
    for (const std::filesystem::path& each :
         {folder / linked, folder / ".debug" / linked, system / folder.relative_path() / linked}) {
        unique_fd opened = open_regular_file(each.string());
        // A file that several debug files share (dwz) is linked without a checksum.
        if (!opened || (checksum != 0 && checksum_of(opened.get()) != checksum)) continue;
        *found = ::strdup(each.c_str());
        return opened.release();
    }
    return -1;
}

/// The elfutils session for this process, in a child of it.
class debug_information {
public:
    debug_information() {
        static char* no_path = nullptr;
        static const Dwfl_Callbacks callbacks{
            .find_elf = dwfl_linux_proc_find_elf,
            .find_debuginfo = find_debug_file,
            .section_address = nullptr,
            .debuginfo_path = &no_path,
        };
        session_ = dwfl_begin(&callbacks);
        if (session_ == nullptr) return;
        dwfl_report_begin(session_);
        dwfl_linux_proc_report(session_, ::getpid());
        dwfl_report_end(session_, nullptr, nullptr);
    }
    ~debug_information() {
        if (session_ != nullptr) dwfl_end(session_);
    }
    debug_information(const debug_information&) = delete;
    debug_information& operator=(const debug_information&) = delete;

    /// The functions at `address`, innermost first. None without debug information.
    std::vector<code_scope> look_up(std::uintptr_t address) {
        Dwfl_Module* const module = session_ != nullptr ? dwfl_addrmodule(session_, address) : nullptr;
        return module != nullptr ? scopes_.at(*module, address) : std::vector<code_scope>{};
    }

private:
    Dwfl* session_ = nullptr;
    dwarf_scopes scopes_;
};

/// The functions at each of the addresses as text, in which a zero byte ends each field.
std::string functions_as_text(std::span<const std::uintptr_t> addresses) {
    debug_information debug;
    std::string text;
    const auto add = [&](std::string_view field) { text.append(field).push_back('\0'); };
    for (const std::uintptr_t address : addresses) {
        const std::vector<code_scope> functions = debug.look_up(address);
        add(std::to_string(functions.size()));
        for (const code_scope& each : functions) {
            add(each.name);
            add(each.file);
            add(std::to_string(each.line));
            add(each.is_plumbing ? "plumbing" : "");
        }
    }
    return text;
}

/// Reads that text.
class functions_in_text {
public:
    explicit functions_in_text(std::string_view text) noexcept : rest_{text} {}

    /// The functions at the next address.
    std::vector<code_scope> next() {
        std::vector<code_scope> functions(static_cast<std::size_t>(number()));
        for (code_scope& each : functions) {
            each.name = field();
            each.file = field();
            each.line = number();
            each.is_plumbing = !field().empty();
        }
        return functions;
    }

private:
    std::string_view field() noexcept {
        const std::string_view found = rest_.substr(0, rest_.find('\0'));
        rest_.remove_prefix(std::min(found.size() + 1, rest_.size()));
        return found;
    }

    int number() noexcept {
        const std::string_view text = field();
        int value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }

    std::string_view rest_;
};

/// The functions at each of the addresses. The debug information is read in a child process.
class debug_reader {
public:
    std::vector<std::vector<code_scope>> look_up(const std::vector<std::uintptr_t>& addresses) {
        std::vector<std::vector<code_scope>> found(addresses.size());
        if (failures_ == failures_max) return found;
        const child_answer answer = ask_child([&] { return functions_as_text(addresses); });
        if (answer.how != child_answer::ending::answered) {
            note(answer);
            return found;
        }
        failures_ = 0;
        functions_in_text text{answer.text};
        for (std::vector<code_scope>& each : found) each = text.next();
        return found;
    }

    /// What is to be logged; empty the next time.
    std::string take_message() { return std::exchange(message_, {}); }

private:
    static constexpr int failures_max = 3;  // in a row; then no more child is started

    void note(const child_answer& failed) {
        const bool is_first = failures_ == 0;
        failures_ = failed.how == child_answer::ending::took_long ? failures_max : failures_ + 1;
        if (is_first)
            message_ = "no file and line for the addresses in reports: the process that reads debug information " +
                       why(failed);
    }

    static std::string why(const child_answer& failed) {
        switch (failed.how) {
        case child_answer::ending::refused:
            return "cannot be started: " + std::generic_category().message(failed.error);
        case child_answer::ending::took_long: return "took too long";
        default: return "died";
        }
    }

    int failures_ = 0;
    std::string message_;
};

#else

struct debug_reader {
    std::vector<std::vector<code_scope>> look_up(const std::vector<std::uintptr_t>& addresses) {
        return std::vector<std::vector<code_scope>>(addresses.size());
    }
    std::string take_message() { return {}; }
};

#endif

// ---- the combined lookup -------------------------------------------------------------------------------------------

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
        for (std::span<const void* const> rest = unknown; !rest.empty();) {
            const auto some = rest.first(std::min(rest.size(), asked_max));
            read_all(some);
            rest = rest.subspan(some.size());
        }
    }

    void read_all(std::span<const void* const> return_addresses) {
        std::vector<std::uintptr_t> calls;
        for (const void* const each : return_addresses) calls.push_back(call_before(each));
        const std::vector<std::vector<code_scope>> functions = debug_.look_up(calls);
        for (std::size_t i = 0; i < return_addresses.size(); ++i) {
            const auto address = reinterpret_cast<std::uintptr_t>(return_addresses[i]);
            cached_.insert_or_assign(return_addresses[i], read(address, functions[i]));
        }
    }

    static std::uintptr_t call_before(const void* return_address) noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(return_address);
        return address == 0 ? 0 : address - 1;
    }

    void name_by_caller(symbol& function, const void* return_address, const void* caller) {
        const loaded_module library = module_of(reinterpret_cast<std::uintptr_t>(return_address) - 1);
        const auto call = reinterpret_cast<std::uintptr_t>(caller);
        const loaded_module from = module_of(call - 1);
        if (library.path.empty() || from.path.empty()) return;
        const std::string name{file_of(from.path).called_function(call - from.load_bias, file_of(library.path))};
        if (name.empty()) return;
        function.function = printable(readable_name(name));
        function.is_plumbing |= is_plumbing_function(name);
    }

    std::vector<symbol> read(std::uintptr_t return_address, const std::vector<code_scope>& functions) {
        const std::uintptr_t call = return_address == 0 ? 0 : return_address - 1;
        const loaded_module module = module_of(call);
        symbol base;
        base.module = printable(std::filesystem::path{module.path}.filename().string());
        base.offset = return_address - module.load_bias;
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
    debug_reader debug_;
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
