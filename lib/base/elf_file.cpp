#include "base/elf_file.hpp"

#include "base/read_file.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <sys/mman.h>
#include <sys/stat.h>

namespace coir::detail {

namespace {

constexpr std::size_t functions_followed_max = 16;

bool is_function(const ElfW(Sym) & symbol) noexcept {
    const unsigned type = symbol.st_info & 0xfU;
    return type == STT_FUNC || type == STT_GNU_IFUNC;
}

bool is_defined(const ElfW(Sym) & symbol) noexcept { return symbol.st_shndx != SHN_UNDEF && is_function(symbol); }

std::string_view name_of(const ElfW(Sym) & symbol, std::span<const char> names) noexcept {
    return symbol.st_name < names.size() ? names.data() + symbol.st_name : std::string_view{};
}

bool starts_with(std::span<const unsigned char> code, std::initializer_list<unsigned char> bytes) noexcept {
    return code.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), code.begin());
}

/// The target of a jump or call. The last four bytes of the instruction are its distance from the next one.
std::uintptr_t target_of(std::span<const unsigned char> distance, std::uintptr_t next_instruction) noexcept {
    std::int32_t bytes = 0;
    std::memcpy(&bytes, distance.data(), sizeof bytes);
    return next_instruction + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(bytes));
}

}  // namespace

elf_file::elf_file(const std::string& path) {
    const unique_fd file = open_regular_file(path);
    struct stat about {};
    if (!file || ::fstat(file.get(), &about) != 0 || about.st_size < static_cast<off_t>(sizeof(ElfW(Ehdr)))) return;
    bytes_ = static_cast<std::size_t>(about.st_size);
    void* const mapped = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (mapped == MAP_FAILED) return;
    data_ = static_cast<const char*>(mapped);
    if (std::string_view{data_, SELFMAG} != std::string_view{ELFMAG, SELFMAG}) return;
    const auto& header = *reinterpret_cast<const ElfW(Ehdr)*>(data_);
    has_known_code_ = header.e_machine == EM_X86_64 && header.e_ident[EI_CLASS] == ELFCLASS64;
    dynamic_ = read_symbols(SHT_DYNSYM);
    all_ = read_symbols(SHT_SYMTAB);
    if (all_.symbols.empty()) all_ = dynamic_;
    read_relocations();
}

elf_file::~elf_file() {
    if (data_ != nullptr) ::munmap(const_cast<char*>(data_), bytes_);
}

const char* elf_file::function_at(std::uintptr_t address) const {
    for (const ElfW(Sym) & each : all_.symbols) {
        const bool holds = address >= each.st_value && address - each.st_value < std::max<std::size_t>(each.st_size, 1);
        if (holds && is_function(each) && each.st_name < all_.names.size()) return all_.names.data() + each.st_name;
    }
    return nullptr;
}

// ---- the function that a call enters -------------------------------------------------------------------------------

/// The compiler ends a function with a jump to another one where it can (a tail call); that returns to the caller of the
/// first. The caller's instruction still tells what was called: a function of the library, through a stub of the linker
/// (PLT) or the table of addresses (GOT); one of that name in this file, such as a hook; or one that jumps to these.
std::string_view elf_file::called_function(std::uintptr_t return_address, const elf_file& library) const {
    constexpr std::size_t longest_call = 6;
    if (!has_known_code_ || &library == this || return_address < longest_call) return {};
    const std::span<const unsigned char> call = code_from(return_address - longest_call);
    if (call.size() < longest_call) return {};
    jump_targets found;
    const std::uintptr_t target = target_of(call.subspan(2), return_address);
    if (call[0] == 0xff && call[1] == 0x15) found.names.push_back(imported_in(target));  // call *target(%rip)
    if (call[1] == 0xe8) found.functions.push_back(target);                              // call target
    for (std::size_t i = 0; i < found.functions.size(); ++i) {
        if (i == functions_followed_max) return {};
        if (!add_name(found.functions[i], library, found)) add_jumps(found.functions[i], found);
    }
    std::erase_if(found.names, [&](std::string_view name) { return !name.empty() && !library.exports(name); });
    const bool is_one =
        !found.names.empty() && std::ranges::count(found.names, found.names.front()) == std::ssize(found.names);
    return is_one ? found.names.front() : std::string_view{};
}

/// Adds the name of what is at the address, if it is a stub or stands in front of a function of the library.
bool elf_file::add_name(std::uintptr_t address, const elf_file& library, jump_targets& to) const {
    if (const std::string_view name = imported_by_stub(address); !name.empty()) {
        to.names.push_back(name);
        return true;
    }
    for (const ElfW(Sym) & each : all_.symbols) {
        if (each.st_value != address || !is_defined(each) || !library.exports(name_of(each, all_.names))) continue;
        to.names.push_back(name_of(each, all_.names));
        return true;
    }
    return false;
}

/// Adds where the jumps of a function lead; an empty name for one through a pointer. Instructions are not decoded: four
/// bytes that lead exactly to a stub or to the beginning of a function are a jump's, and whatever may be a jump through a
/// pointer counts as one.
void elf_file::add_jumps(std::uintptr_t function, jump_targets& to) const {
    const ElfW(Sym)* const symbol = function_from(function);
    if (symbol == nullptr) return;
    const std::span<const unsigned char> code = code_from(function);
    const std::size_t size = std::min<std::size_t>(symbol->st_size, code.size());
    for (std::size_t i = 0; i + 2 <= size; ++i) {
        const bool is_jump = code[i] == 0xe9;                                        // jmp target
        const bool is_long = code[i] == 0x0f && (code[i + 1] & 0xf0U) == 0x80U;      // jne target
        const bool is_indirect = code[i] == 0xff && (code[i + 1] & 0x38U) == 0x20U;  // jmp *target(%rip), jmp *%rax
        const std::size_t distance = is_jump ? i + 1 : i + 2;
        const bool has_distance = distance + 4 <= size;
        const std::uintptr_t target = has_distance ? target_of(code.subspan(distance), function + distance + 4) : 0;
        if (is_indirect) {
            to.names.push_back(code[i + 1] == 0x25 && has_distance ? imported_in(target) : std::string_view{});
        } else if ((is_jump || is_long) && has_distance &&
                   std::ranges::find(to.functions, target) == to.functions.end() &&
                   (function_from(target) != nullptr || !imported_by_stub(target).empty())) {
            to.functions.push_back(target);
        }
    }
}

/// The name of the function that a stub of the linker jumps to; empty if there is no such stub at the address.
std::string_view elf_file::imported_by_stub(std::uintptr_t address) const {
    const std::span<const unsigned char> all = code_from(address);
    std::span<const unsigned char> code = all;
    if (starts_with(code, {0xf3, 0x0f, 0x1e, 0xfa})) code = code.subspan(4);         // endbr64
    if (starts_with(code, {0xf2})) code = code.subspan(1);                           // bnd
    if (starts_with(code, {0x41, 0xbb}) && code.size() > 6) code = code.subspan(6);  // mov $index, %r11d
    if (!starts_with(code, {0xff, 0x25}) || code.size() < 6) return {};              // jmp *slot(%rip)
    return imported_in(target_of(code.subspan(2), address + (all.size() - code.size()) + 6));
}

/// The name of the function whose address the dynamic linker writes to this location.
std::string_view elf_file::imported_in(std::uintptr_t slot) const {
    for (const std::span<const ElfW(Rela)> relocations : relocations_) {
        const auto found = std::ranges::find(relocations, slot, &ElfW(Rela)::r_offset);
        if (found == relocations.end()) continue;
        const std::size_t symbol = ELF64_R_SYM(found->r_info);
        const auto type = ELF64_R_TYPE(found->r_info);
        if ((type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) && symbol < dynamic_.symbols.size())
            return name_of(dynamic_.symbols[symbol], dynamic_.names);
    }
    return {};
}

const ElfW(Sym) * elf_file::function_from(std::uintptr_t address) const {
    const auto found = std::ranges::find_if(
        all_.symbols, [&](const ElfW(Sym) & each) { return each.st_value == address && is_defined(each); });
    return found == all_.symbols.end() ? nullptr : &*found;
}

bool elf_file::exports(std::string_view function) const {
    return std::ranges::any_of(dynamic_.symbols, [&](const ElfW(Sym) & each) {
        return is_defined(each) && name_of(each, dynamic_.names) == function;
    });
}

// ---- the parts of the file -----------------------------------------------------------------------------------------

template <class T> std::span<const T> elf_file::table(std::size_t offset, std::size_t bytes) const {
    if (offset > bytes_ || bytes > bytes_ - offset) return {};
    return {reinterpret_cast<const T*>(data_ + offset), bytes / sizeof(T)};
}

const ElfW(Ehdr) & elf_file::header() const { return *reinterpret_cast<const ElfW(Ehdr)*>(data_); }

std::span<const ElfW(Shdr)> elf_file::sections() const {
    return table<ElfW(Shdr)>(header().e_shoff, header().e_shnum * sizeof(ElfW(Shdr)));
}

elf_file::symbol_table elf_file::read_symbols(unsigned type) const {
    const auto all = sections();
    for (const ElfW(Shdr) & each : all) {
        if (each.sh_type != type || each.sh_link >= all.size()) continue;
        const ElfW(Shdr)& names = all[each.sh_link];
        const auto texts = table<char>(names.sh_offset, names.sh_size);
        if (texts.empty() || texts.back() != '\0') continue;  // damaged
        return {table<ElfW(Sym)>(each.sh_offset, each.sh_size), texts};
    }
    return {};
}

void elf_file::read_relocations() {
    const auto all = sections();
    for (const ElfW(Shdr) & each : all) {
        if (each.sh_type == SHT_RELA && each.sh_link < all.size() && all[each.sh_link].sh_type == SHT_DYNSYM)
            relocations_.push_back(table<ElfW(Rela)>(each.sh_offset, each.sh_size));
    }
}

/// The bytes from an address to the end of its segment.
std::span<const unsigned char> elf_file::code_from(std::uintptr_t address) const {
    if (data_ == nullptr) return {};
    for (const ElfW(Phdr) & each : table<ElfW(Phdr)>(header().e_phoff, header().e_phnum * sizeof(ElfW(Phdr)))) {
        if (each.p_type != PT_LOAD || (each.p_flags & PF_X) == 0 || address < each.p_vaddr ||
            address - each.p_vaddr >= each.p_filesz)
            continue;
        const std::size_t before = address - each.p_vaddr;
        return table<unsigned char>(each.p_offset + before, each.p_filesz - before);
    }
    return {};
}

}  // namespace coir::detail
