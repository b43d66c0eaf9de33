#pragma once

#include <cstddef>
#include <cstdint>
#include <elf.h>
#include <link.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coir::detail {

/// The file of an executable or library, mapped to read its symbols and code. Addresses are relative to the load address.
/// A file that cannot be read has no symbols and no code.
class elf_file {
public:
    explicit elf_file(const std::string& path);
    ~elf_file();
    elf_file(const elf_file&) = delete;
    elf_file& operator=(const elf_file&) = delete;

    /// The name of the function at `address`; nullptr if there is none. dladdr(3) finds exported functions only.
    [[nodiscard]] const char* function_at(std::uintptr_t address) const;

    /// The name of the function of `library` that the call before `return_address` in this file enters, if the function
    /// itself has left the stack with a jump to one without a name. Empty if that is unknown: a call through a pointer,
    /// more than one candidate, or a processor other than x86-64.
    [[nodiscard]] std::string_view called_function(std::uintptr_t return_address, const elf_file& library) const;

private:
    struct symbol_table {
        std::span<const ElfW(Sym)> symbols;
        std::span<const char> names;
    };

    /// What a call may have reached, directly or by jumps.
    struct jump_targets {
        std::vector<std::uintptr_t> functions;  // and stubs, of this file
        std::vector<std::string_view> names;    // of functions of other files; empty for one that is not known
    };

    bool add_name(std::uintptr_t address, const elf_file& library, jump_targets& to) const;
    void add_jumps(std::uintptr_t function, jump_targets& to) const;
    [[nodiscard]] std::string_view imported_by_stub(std::uintptr_t address) const;
    [[nodiscard]] std::string_view imported_in(std::uintptr_t slot) const;
    [[nodiscard]] const ElfW(Sym) * function_from(std::uintptr_t address) const;
    [[nodiscard]] bool exports(std::string_view function) const;

    template <class T> [[nodiscard]] std::span<const T> table(std::size_t offset, std::size_t bytes) const;
    [[nodiscard]] const ElfW(Ehdr) & header() const;
    [[nodiscard]] std::span<const ElfW(Shdr)> sections() const;
    [[nodiscard]] symbol_table read_symbols(unsigned type) const;
    void read_relocations();
    [[nodiscard]] std::span<const unsigned char> code_from(std::uintptr_t address) const;

    const char* data_ = nullptr;
    std::size_t bytes_ = 0;
    bool has_known_code_ = false;  // x86-64
    symbol_table all_;             // the exported ones only, in a stripped file
    symbol_table dynamic_;
    std::vector<std::span<const ElfW(Rela)>> relocations_;  // of symbols in `dynamic_`
};

}  // namespace coir::detail
