#include "read/offline_symbols.hpp"

#include "base/dwarf_scopes.hpp"
#include "base/function_name.hpp"
#include "read/elf_module.hpp"

#include <elfutils/libdwfl.h>

#include <filesystem>

namespace detector {

/// One module in its own libdwfl session, at its link-time addresses. So the load address in the program does not
/// matter.
class offline_symbols::module_file {
public:
    module_file(const std::string& path, const std::string& debug_path) : debug_path_{debug_path} {
        session_ = dwfl_begin(&callbacks_);
        if (session_ == nullptr) return;
        dwfl_report_begin(session_);
        module_ = report_elf_file(session_, path);
        dwfl_report_end(session_, nullptr, nullptr);
    }
    ~module_file() {
        if (session_ != nullptr) dwfl_end(session_);
    }
    module_file(const module_file&) = delete;
    module_file& operator=(const module_file&) = delete;

    /// Null when the file does not exist or is not an ELF file.
    [[nodiscard]] Dwfl_Module* get() const noexcept { return module_; }

    [[nodiscard]] std::vector<coir::detail::code_scope> functions_at(std::uint64_t address) {
        return scopes_.at(*module_, address);
    }

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
    coir::detail::dwarf_scopes scopes_;
};

offline_symbols::offline_symbols(const std::vector<std::string>& debug_folders) {
    for (const std::string& each : debug_folders) debug_path_ += std::filesystem::absolute(each).string() + ':';
    debug_path_ += ":.debug:/usr/lib/debug";  // the default of elfutils
}

offline_symbols::~offline_symbols() = default;

std::vector<frame> offline_symbols::functions_at(const code_address& at, const code_address& caller) {
    const auto [known, is_new] = known_.try_emplace(at);
    if (is_new) known->second = read(at);
    std::vector<frame> found = known->second;
    if (found.back().function.empty()) name_by_caller(found.back(), caller);
    return found;
}

void offline_symbols::name_by_caller(frame& function, const code_address& caller) {
    if (function.module.empty() || caller.module.empty()) return;
    const auto file_of = [&](const std::string& path) -> const coir::detail::elf_file& {
        return calls_.try_emplace(path, path).first->second;
    };
    const std::string name{file_of(caller.module).called_function(caller.offset, file_of(function.module))};
    if (name.empty()) return;
    function.function = coir::detail::readable_name(name);
    function.plumbing |= coir::detail::is_plumbing_function(name);
}

std::vector<frame> offline_symbols::read(const code_address& at) {
    const auto& [module, offset] = at;
    frame here;
    here.module = module;
    here.offset = offset;
    auto& file = files_[module];
    if (!file) file = std::make_unique<module_file>(module, debug_path_);
    if (module.empty() || offset == 0 || file->get() == nullptr) return {here};

    const std::uint64_t call = offset - 1;
    std::vector<frame> found;
    for (const coir::detail::code_scope& each : file->functions_at(call)) {
        here.function = each.name;
        here.file = std::filesystem::path{each.file}.lexically_normal().string();
        here.line = each.line;
        here.plumbing = each.is_plumbing || coir::detail::is_plumbing_function(each.mangled);
        found.push_back(here);
    }
    if (!found.empty()) return found;
    if (const char* const name = dwfl_module_addrname(file->get(), call)) {
        here.function = coir::detail::readable_name(name);
        here.plumbing = coir::detail::is_plumbing_function(name);
    }
    return {here};
}

}  // namespace detector
