#include "read/offline_symbols.hpp"

#include "base/dwarf_scopes.hpp"
#include "base/function_name.hpp"

#include <elfutils/libdwfl.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

namespace detector {

namespace {

void replace_all(std::string& in, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = in.find(what, at)) != in.npos; at += by.size()) in.replace(at, what.size(), by);
}

/// The demangled name as in source code: without a symbol version ("nanosleep@GLIBC_2.2.5"), without the optimiser's
/// suffix ("f() [clone .isra.0]"), and with std::string for std::basic_string<char>.
std::string plain_name(std::string mangled) {
    mangled.resize(std::min(mangled.find('@'), mangled.size()));
    std::string name = coir::detail::demangle(mangled.c_str());
    name.resize(std::min(name.find(" [clone "), name.size()));
    replace_all(name, "std::__cxx11::", "std::");
    replace_all(name, "std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
    return name;
}

}  // namespace

/// One module in its own libdwfl session, at its link-time addresses. So the load address in the program does not
/// matter.
class offline_symbols::module_file {
public:
    module_file(const std::string& path, const std::string& debug_path) : debug_path_{debug_path} {
        session_ = dwfl_begin(&callbacks_);
        if (session_ == nullptr) return;
        dwfl_report_begin(session_);
        module_ = dwfl_report_elf(session_, path.c_str(), path.c_str(), -1, 0, true);
        dwfl_report_end(session_, nullptr, nullptr);
    }
    ~module_file() {
        if (session_ != nullptr) dwfl_end(session_);
    }
    module_file(const module_file&) = delete;
    module_file& operator=(const module_file&) = delete;

    /// Null when the file does not exist or is not an ELF file.
    [[nodiscard]] Dwfl_Module* get() const noexcept { return module_; }

private:
    std::string debug_path_;
    char* debug_path_text_ = debug_path_.data();
    Dwfl_Callbacks callbacks_{
        .find_elf = nullptr,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = nullptr,
        .debuginfo_path = &debug_path_text_,
    };
    Dwfl* session_ = nullptr;
    Dwfl_Module* module_ = nullptr;
};

offline_symbols::offline_symbols(const std::vector<std::string>& debug_folders) {
    for (const std::string& each : debug_folders) debug_path_ += std::filesystem::absolute(each).string() + ':';
    debug_path_ += ":.debug:/usr/lib/debug";  // the default of elfutils
}

offline_symbols::~offline_symbols() = default;

const std::vector<frame>& offline_symbols::functions_at(const std::string& module, std::uint64_t offset) {
    const auto [at, is_new] = known_.try_emplace({module, offset});
    if (is_new) at->second = read(module, offset);
    return at->second;
}

std::vector<frame> offline_symbols::read(const std::string& module, std::uint64_t offset) {
    frame here;
    here.module = module;
    here.offset = offset;
    auto& file = files_[module];
    if (!file) file = std::make_unique<module_file>(module, debug_path_);
    if (module.empty() || offset == 0 || file->get() == nullptr) return {here};

    const std::uint64_t call = offset - 1;
    std::vector<frame> found;
    for (const coir::detail::code_scope& each : coir::detail::scopes_at(*file->get(), call)) {
        here.function = plain_name(each.name);
        here.file = std::filesystem::path{each.file}.lexically_normal().string();
        here.line = each.line;
        here.plumbing = each.is_plumbing || coir::detail::is_plumbing_function(each.name);
        found.push_back(here);
    }
    if (!found.empty()) return found;
    if (const char* const name = dwfl_module_addrname(file->get(), call)) {
        here.function = plain_name(name);
        here.plumbing = coir::detail::is_plumbing_function(name);
    }
    return {here};
}

}  // namespace detector
