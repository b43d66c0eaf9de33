#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace coir::detail {

/// How to find the registers of a function's caller from those of the function: one row of the table that the compiler
/// writes into .eh_frame (call frame information: DWARF 5, section 6.4, and the Linux Standard Base, section 10.6).
struct frame_rules {
    enum class kind { same, undefined, at_offset, offset, in_register, at_expression, expression };

    /// The caller's value of a register. An offset is from the canonical frame address (CFA), an expression starts with
    /// it. With `at_`, it is the address at which the value is stored.
    struct rule {
        kind how = kind::same;
        long value = 0;  // the offset, or the number of the register
        std::span<const std::byte> expression;
    };

    static constexpr unsigned registers_max = 32;

    const void* function = nullptr;  // its first instruction
    unsigned return_address = 0;     // number of the register that stands for the return address
    bool is_signal_frame = false;    // the "return address" is that of an interrupted instruction
    unsigned cfa_register = 0;       // CFA = this register + cfa_offset, unless there is an expression
    long cfa_offset = 0;
    std::span<const std::byte> cfa_expression;
    std::array<rule, registers_max> registers;
};

/// The rules at the instruction that contains `address`; none if no loaded module has them. Reads the module's memory.
[[nodiscard]] std::optional<frame_rules> frame_rules_at(std::uintptr_t address) noexcept;

/// Reads values of the DWARF encoding from memory.
class dwarf_reader {
public:
    explicit dwarf_reader(const std::byte* at) noexcept : at_{at} {}

    /// A value of this type, of any alignment.
    template <class T> T take() noexcept {
        T value;
        __builtin_memcpy(&value, at_, sizeof value);
        at_ += sizeof value;
        return value;
    }
    unsigned char byte() noexcept { return take<unsigned char>(); }
    std::uint64_t uleb() noexcept;
    std::int64_t sleb() noexcept;
    std::span<const std::byte> bytes(std::size_t count) noexcept {
        const std::span<const std::byte> taken{at_, count};
        at_ += count;
        return taken;
    }

    [[nodiscard]] const std::byte* at() const noexcept { return at_; }

private:
    const std::byte* at_;
};

}  // namespace coir::detail
