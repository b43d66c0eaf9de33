#include "detect/engine/trap/sanitizer_runtime.hpp"

#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <link.h>
#include <mutex>

namespace coir::detail {

namespace {

struct code {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;  // equal to `begin`: empty
};

constinit code library;
constinit sanitizer_runtime where = sanitizer_runtime::none;

/// The executable segment of `module` that contains `wanted`; empty if there is none.
code code_around(const void* wanted, const dl_phdr_info& module) noexcept {
    for (unsigned i = 0; i < module.dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = module.dlpi_phdr[i];
        if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
        const std::uintptr_t begin = module.dlpi_addr + part.p_vaddr;
        const std::uintptr_t end = begin + part.p_memsz;
        const auto address = reinterpret_cast<std::uintptr_t>(wanted);
        if (begin <= address && address < end) return {begin, end};
    }
    return {};
}

void find() noexcept {
    // A function that every sanitizer runtime has.
    void* wanted = ::dlsym(RTLD_DEFAULT, "__sanitizer_print_stack_trace");
    if (wanted == nullptr) return;
    const auto visit_module = [](dl_phdr_info* module, std::size_t, void* address) {
        const code found = code_around(address, *module);
        if (found.end == 0) return 0;
        const bool is_program = *module->dlpi_name == '\0';
        where = is_program ? sanitizer_runtime::in_program : sanitizer_runtime::library;
        if (!is_program) library = found;
        return 1;
    };
    ::dl_iterate_phdr(visit_module, wanted);
}

}  // namespace

sanitizer_runtime find_sanitizer_runtime() {
    static std::once_flag once;
    std::call_once(once, find);
    return where;
}

bool is_in_sanitizer_runtime(const void* address) noexcept {
    const std::uintptr_t instruction = reinterpret_cast<std::uintptr_t>(address) - 1;
    return library.begin <= instruction && instruction < library.end;
}

}  // namespace coir::detail
