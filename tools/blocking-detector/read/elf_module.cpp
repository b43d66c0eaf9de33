#include "read/elf_module.hpp"

#include "base/read_file.hpp"

#include <array>
#include <elf.h>
#include <string_view>
#include <unistd.h>

namespace detector {

Dwfl_Module* report_elf_file(Dwfl* session, const std::string& path) {
    coir::detail::unique_fd file = coir::detail::open_regular_file(path);
    std::array<char, SELFMAG> magic{};
    if (!file || ::pread(file.get(), magic.data(), magic.size(), 0) != SELFMAG) return nullptr;
    if (std::string_view{magic.data(), magic.size()} != std::string_view{ELFMAG, SELFMAG}) return nullptr;
    Dwfl_Module* const made = dwfl_report_elf(session, path.c_str(), path.c_str(), file.get(), 0, true);
    if (made != nullptr) static_cast<void>(file.release());  // libdw owns it now
    return made;
}

}  // namespace detector
