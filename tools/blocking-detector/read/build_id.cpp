#include "read/build_id.hpp"

#include "read/elf_module.hpp"

#include <elfutils/libdwfl.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>

namespace detector {

namespace {

/// Empty for a file without a build id; nullopt if it is not an ELF file or cannot be read.
std::optional<build_id> read_build_id(const std::string& path) {
    const Dwfl_Callbacks callbacks{
        .find_elf = nullptr, .find_debuginfo = nullptr, .section_address = nullptr, .debuginfo_path = nullptr};
    const std::unique_ptr<Dwfl, decltype(&dwfl_end)> session{dwfl_begin(&callbacks), dwfl_end};
    if (session == nullptr) return std::nullopt;
    dwfl_report_begin(session.get());
    Dwfl_Module* const module = report_elf_file(session.get(), path);
    dwfl_report_end(session.get(), nullptr, nullptr);
    if (module == nullptr) return std::nullopt;
    const unsigned char* bytes = nullptr;
    GElf_Addr address = 0;
    const int size = dwfl_module_build_id(module, &bytes, &address);
    return size > 0 ? build_id(bytes, bytes + size) : build_id{};
}

}  // namespace

bool is_build_of(const std::string& path, const build_id& recorded) {
    if (recorded.empty()) return true;
    static std::map<std::string, std::optional<build_id>> known;
    const auto [at, is_new] = known.try_emplace(path);
    if (is_new) at->second = read_build_id(path);
    if (!at->second) return true;
    // A very long one is cut in the record.
    return at->second->size() >= recorded.size() &&
           std::ranges::equal(recorded, std::span{*at->second}.first(recorded.size()));
}

}  // namespace detector
