#include "detect/record/module_list.hpp"

#include "detect/record/backed_memory.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <span>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

constexpr std::size_t aligned(std::size_t bytes, std::size_t to) noexcept { return (bytes + to - 1) / to * to; }

/// The addresses of a module. `end` is 0 if it has none.
struct extent {
    std::uint64_t begin = ~std::uint64_t{0};
    std::uint64_t end = 0;
};

std::span<const ElfW(Phdr)> segments_of(const dl_phdr_info& module) noexcept {
    return {module.dlpi_phdr, module.dlpi_phnum};
}

extent extent_of(const dl_phdr_info& module) noexcept {
    extent all;
    for (const ElfW(Phdr) & segment : segments_of(module)) {
        if (segment.p_type != PT_LOAD) continue;
        all.begin = std::min<std::uint64_t>(all.begin, module.dlpi_addr + segment.p_vaddr);
        all.end = std::max<std::uint64_t>(all.end, module.dlpi_addr + segment.p_vaddr + segment.p_memsz);
    }
    return all;
}

/// The content of NT_GNU_BUILD_ID in the mapped module; empty if there is none.
std::span<const std::uint8_t> build_id_of(const dl_phdr_info& module, const extent& mapped) noexcept {
    for (const ElfW(Phdr) & segment : segments_of(module)) {
        const std::uint64_t begin = module.dlpi_addr + segment.p_vaddr;
        const bool is_mapped = mapped.begin <= begin && begin <= mapped.end && segment.p_memsz <= mapped.end - begin;
        if (segment.p_type != PT_NOTE || !is_mapped) continue;
        const std::size_t alignment = segment.p_align == 8 ? 8 : 4;
        const auto* const notes = reinterpret_cast<const std::uint8_t*>(begin);
        for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) <= segment.p_memsz;) {
            ElfW(Nhdr) head;
            std::memcpy(&head, notes + at, sizeof head);
            const std::size_t name = at + sizeof head;
            const std::size_t content = aligned(name + head.n_namesz, alignment);
            if (content + head.n_descsz > segment.p_memsz) break;
            const bool is_gnu = head.n_namesz == 4 && std::memcmp(notes + name, "GNU", 4) == 0;
            if (is_gnu && head.n_type == NT_GNU_BUILD_ID) return {notes + content, head.n_descsz};
            at = aligned(content + head.n_descsz, alignment);
        }
    }
    return {};
}

/// The file of a module; the dynamic linker has no name for the program itself.
std::string_view path_of(const dl_phdr_info& module, std::array<char, PATH_MAX>& buffer) noexcept {
    if (module.dlpi_name != nullptr && *module.dlpi_name != '\0') return module.dlpi_name;
    const ssize_t length = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

bool has(const record_header& list, const extent& addresses, std::string_view path) {
    bool found = false;
    for_each_module(list, [&](const recorded_module& each) {
        found |= each.begin == addresses.begin && each.end == addresses.end && (path.empty() || each.path() == path);
    });
    return found;
}

/// Reserves space at the end of the list. Other threads, and processes, do the same. Returns nullptr if there is none.
recorded_module* reserve(record_header& in, std::size_t bytes) noexcept {
    std::uint32_t used = in.modules_used.load(std::memory_order_relaxed);
    do {
        if (bytes > in.modules.size() - used) return nullptr;
    } while (!in.modules_used.compare_exchange_weak(used, used + static_cast<std::uint32_t>(bytes)));
    auto* const made = reinterpret_cast<recorded_module*>(&in.modules[used]);
    return is_backed(made, bytes) ? made : nullptr;
}

void add(record_header& to, const dl_phdr_info& module) noexcept {
    const extent addresses = extent_of(module);
    std::array<char, PATH_MAX> buffer;
    const std::string_view path = path_of(module, buffer);
    if (addresses.begin >= addresses.end || has(to, addresses, path)) return;
    const std::size_t bytes = aligned(sizeof(recorded_module) + path.size() + 1, 8);
    recorded_module* const made = reserve(to, bytes);
    if (made == nullptr) return;
    std::memset(static_cast<void*>(made), 0, bytes);
    made->bytes = static_cast<std::uint32_t>(bytes);
    made->begin = addresses.begin;
    made->end = addresses.end;
    made->bias = module.dlpi_addr;
    made->pid = ::getpid();
    const std::span<const std::uint8_t> id = build_id_of(module, addresses);
    made->build_id_bytes = static_cast<std::uint8_t>(std::min(id.size(), made->build_id.size()));
    std::copy_n(id.begin(), made->build_id_bytes, made->build_id.begin());
    path.copy(reinterpret_cast<char*>(made + 1), path.size());
    made->mark.store(recorded_module::mark_now, std::memory_order_release);
}

}  // namespace

void add_loaded_modules(record_header& to, std::atomic<unsigned long long>& seen) noexcept {
    struct pass {
        record_header& to;
        std::atomic<unsigned long long>& seen;
        bool first = true;
    } here{to, seen};
    ::dl_iterate_phdr(
        [](dl_phdr_info* module, std::size_t, void* data) {
            pass& at = *static_cast<pass*>(data);
            if (std::exchange(at.first, false) && at.seen.exchange(module->dlpi_adds) == module->dlpi_adds) return 1;
            add(at.to, *module);
            return 0;
        },
        &here);
}

}  // namespace coir::detail
