#include "base/own_module.hpp"

#include <cstdint>
#include <dlfcn.h>
#include <link.h>
#include <string_view>

namespace coir::detail::own_module {

namespace {

/// The module that contains `address`, as found by dl_iterate_phdr(3), which reports the program first.
struct module_search {
    std::uintptr_t address;
    std::string_view path{};
    bool is_found = false;
    bool is_first = true;
};

int match_module(dl_phdr_info* module, std::size_t, void* data) {
    auto& sought = *static_cast<module_search*>(data);
    for (unsigned i = 0; i < module->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = module->dlpi_phdr[i];
        const std::uintptr_t begin = module->dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && sought.address - begin < segment.p_memsz) sought.is_found = true;
    }
    if (!sought.is_found) {
        sought.is_first = false;
        return 0;
    }
    if (module->dlpi_name != nullptr) sought.path = module->dlpi_name;
    return 1;
}

module_search find_module(const void* address) noexcept {
    module_search found{reinterpret_cast<std::uintptr_t>(address)};
    ::dl_iterate_phdr(match_module, &found);
    return found;
}

/// An address in this module. The function has internal linkage, so no other module can replace it.
const void* own_address() noexcept { return reinterpret_cast<const void*>(&match_module); }

const module_search& own() noexcept {
    static const module_search found = find_module(own_address());
    return found;
}

}  // namespace

bool is_program() noexcept { return own().is_first; }

bool contains(const void* address) noexcept { return find_module(address).path == own().path; }

std::string name() {
    const std::string_view path = own().path;
    return std::string{path.substr(path.rfind('/') + 1)};
}

void keep_loaded() noexcept {
    if (is_program()) return;
    // Looked up by name: the linker warns about every static program that refers to dlopen. The path is the loader's own
    // text, which ends with a zero byte.
    static auto* const open = reinterpret_cast<decltype(&::dlopen)>(::dlsym(RTLD_DEFAULT, "dlopen"));
    static void* const kept = open(own().path.data(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    static_cast<void>(kept);
}

}  // namespace coir::detail::own_module
