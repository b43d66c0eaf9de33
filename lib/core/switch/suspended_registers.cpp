#include "core/switch/suspended_registers.hpp"

#include <array>
#include <cstddef>

namespace coir::detail {

namespace {

// Where a switch stores the registers: their DWARF numbers in the order of the memory, from the stack pointer up.
#if defined(__aarch64__)
// jump_fcontext (Boost.Context, jump_arm64_aapcs_elf_gas.S): d8 to d15, x19 to x28, x29, x30, and the address to resume.
constexpr std::size_t words_before = 8;
constexpr std::array<unsigned, 12> stored{19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
constexpr std::size_t words_behind = 1;  // up to a multiple of 16 bytes
#elif defined(COIR_CONTEXT_FCONTEXT)
// jump_fcontext (jump_x86_64_sysv_elf_gas.S): control words, r12 to r15, rbx, rbp, and the return address.
constexpr std::size_t words_before = 1;
constexpr std::array<unsigned, 6> stored{12, 13, 14, 15, 3, 6};
constexpr std::size_t words_behind = 0;
#else
// coir_context_switch: r15 to r12, rbx, rbp, and the return address.
constexpr std::size_t words_before = 0;
constexpr std::array<unsigned, 6> stored{15, 14, 13, 12, 3, 6};
constexpr std::size_t words_behind = 0;
#endif

}  // namespace

suspended_registers::suspended_registers(const context& suspended) noexcept {
    const auto* at = static_cast<const std::uintptr_t*>(suspended.at) + words_before;
    for (const unsigned each : stored) values[each] = *at++;
    pc = *at++;
    values[stack_pointer] = reinterpret_cast<std::uintptr_t>(at + words_behind);
}

}  // namespace coir::detail
