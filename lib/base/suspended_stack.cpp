#include "base/suspended_stack.hpp"

#include "base/frame_rules.hpp"
#include "base/read_memory.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace coir::detail {

namespace {

using word = std::uintptr_t;
using kind = frame_rules::kind;

constexpr word search_bytes = word{64} << 10;  // the largest frame that is searched for a return address

/// Memory of the process, read once.
class memory_copy {
public:
    std::optional<word> at(word address) {
        if (address % sizeof(word) != 0) return {};
        const std::optional<page>& copy = page_at(address / page_bytes);
        if (!copy) return {};
        word value = 0;
        std::memcpy(&value, copy->data() + address % page_bytes, sizeof value);
        return value;
    }

private:
    static constexpr std::size_t page_bytes = 4096;
    using page = std::array<std::byte, page_bytes>;

    const std::optional<page>& page_at(word number) {
        const auto [known, is_new] = pages_.try_emplace(number);
        if (is_new) {
            known->second.emplace();
            const void* const from = reinterpret_cast<const void*>(number * page_bytes);
            if (!read_memory(known->second->data(), from, page_bytes)) known->second.reset();
        }
        return known->second;
    }

    std::unordered_map<word, std::optional<page>> pages_;
};

/// The value of a DWARF expression; none if it depends on what is not known, or uses a rare operation.
std::optional<word> evaluate(std::span<const std::byte> expression, std::optional<word> initial,
                             const known_registers& registers, memory_copy& memory) {
    std::vector<word> stack;
    if (initial) stack.push_back(*initial);
    const auto pop = [&] {
        const word top = stack.empty() ? 0 : stack.back();
        if (!stack.empty()) stack.pop_back();
        return top;
    };
    dwarf_reader in{expression.data()};
    while (in.at() < expression.data() + expression.size()) {
        const unsigned code = in.byte();
        if (code >= 0x30 && code <= 0x4f) {  // DW_OP_lit0..31
            stack.push_back(code - 0x30);
        } else if (code >= 0x70 && code <= 0x8f) {  // DW_OP_breg0..31
            const std::optional<word>& base = registers[code - 0x70];
            if (!base) return {};
            stack.push_back(*base + static_cast<word>(in.sleb()));
        } else if (code == 0x06) {  // DW_OP_deref
            const std::optional<word> loaded = memory.at(pop());
            if (!loaded) return {};
            stack.push_back(*loaded);
        } else if (code == 0x08) {  // DW_OP_const1u
            stack.push_back(in.byte());
        } else if (code == 0x23) {  // DW_OP_plus_uconst
            stack.push_back(pop() + in.uleb());
        } else if (code != 0x96) {  // DW_OP_nop
            const word right = pop();
            const word left = pop();
            switch (code) {
            case 0x1a: stack.push_back(left & right); break;          // DW_OP_and
            case 0x1c: stack.push_back(left - right); break;          // DW_OP_minus
            case 0x22: stack.push_back(left + right); break;          // DW_OP_plus
            case 0x24: stack.push_back(left << (right % 64)); break;  // DW_OP_shl
            case 0x2a: stack.push_back(static_cast<long>(left) >= static_cast<long>(right) ? 1 : 0); break;  // DW_OP_ge
            default: return {};
            }
        }
    }
    return stack.empty() ? std::nullopt : std::optional{stack.back()};
}

// ---- calls that the stack remembers --------------------------------------------------------------------------------

enum class call_found { none, other, to_function };

#if defined(__x86_64__)

/// The function that `target` jumps to if it is an entry of a procedure linkage table; else `target` itself.
word behind_plt(word target, memory_copy& memory) {
    std::array<unsigned char, 11> code{};
    if (!read_memory(code.data(), reinterpret_cast<const void*>(target), code.size())) return target;
    std::size_t at = code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa ? 4 : 0;  // endbr64
    if (code[at] == 0xf2) ++at;                                                                         // bnd
    if (at + 6 > code.size() || code[at] != 0xff || code[at + 1] != 0x25) return target;                // jmp *X(%rip)
    std::int32_t offset = 0;
    std::memcpy(&offset, code.data() + at + 2, sizeof offset);
    return memory.at(target + at + 6 + static_cast<word>(std::int64_t{offset})).value_or(target);
}

/// Whether `value` is the return address of a call instruction, and whether that calls `function`.
call_found call_before(word value, const void* function, memory_copy& memory) {
    if (value < 4096 || !frame_rules_at(value - 1)) return call_found::none;
    std::array<unsigned char, 7> code{};
    if (!read_memory(code.data(), reinterpret_cast<const void*>(value - code.size()), code.size()))
        return call_found::none;
    std::int32_t offset = 0;
    std::memcpy(&offset, code.data() + 3, sizeof offset);
    const word relative = value + static_cast<word>(std::int64_t{offset});
    const auto wanted = reinterpret_cast<word>(function);
    if (code[1] == 0xff && code[2] == 0x15 && memory.at(relative) == wanted) return call_found::to_function;
    if (code[2] == 0xe8) {
        const bool is_it = relative == wanted || behind_plt(relative, memory) == wanted;
        return is_it ? call_found::to_function : call_found::other;
    }
    // call through a register or memory: ff /2, with up to five bytes behind these two
    for (std::size_t i = 0; i + 1 < code.size(); ++i) {
        if (code[i] == 0xff && (code[i + 1] & 0x38U) == 0x10) return call_found::other;
    }
    return call_found::none;
}

#else

call_found call_before(word, const void*, memory_copy&) { return call_found::none; }

#endif

// ---- the walk ------------------------------------------------------------------------------------------------------

std::optional<word> value_by(const frame_rules::rule& rule, std::optional<word> before, word cfa,
                             const known_registers& registers, memory_copy& memory) {
    const word at = cfa + static_cast<word>(rule.value);
    switch (rule.how) {
    case kind::same: return before;
    case kind::undefined: return {};
    case kind::at_offset: return memory.at(at);
    case kind::offset: return at;
    case kind::in_register:
        return static_cast<std::size_t>(rule.value) < registers.size() ? registers[static_cast<std::size_t>(rule.value)]
                                                                       : std::nullopt;
    case kind::expression: return evaluate(rule.expression, cfa, registers, memory);
    case kind::at_expression: {
        const std::optional<word> stored = evaluate(rule.expression, cfa, registers, memory);
        return stored ? memory.at(*stored) : stored;
    }
    }
    return {};
}

std::optional<word> cfa_of(const frame_rules& rules, const known_registers& registers, memory_copy& memory) {
    if (!rules.cfa_expression.empty()) return evaluate(rules.cfa_expression, std::nullopt, registers, memory);
    const std::optional<word>& base = registers[rules.cfa_register];
    return base ? std::optional{*base + static_cast<word>(rules.cfa_offset)} : std::nullopt;
}

/// Replaces the registers of a function with those of its caller. Returns false if they cannot be found.
bool step(const frame_rules& rules, known_registers& registers, memory_copy& memory) {
    const std::optional<word> cfa = cfa_of(rules, registers, memory);
    // Frames lie one above the other. Only a signal handler may have a stack of its own.
    if (!cfa || (!rules.is_signal_frame && *cfa <= *registers[stack_pointer])) return false;
    known_registers callers;
    for (unsigned i = 0; i < callers.size(); ++i) {
        callers[i] = value_by(rules.registers[i], registers[i], *cfa, registers, memory);
    }
    if (rules.registers[stack_pointer].how == kind::same) callers[stack_pointer] = cfa;
    registers = callers;
    return registers[stack_pointer].has_value();
}

/// Whether a walk from here arrives at the function in which the stack begins. Then nothing on the way was a guess that
/// is wrong.
bool reaches_the_end(frame_rules rules, known_registers registers, memory_copy& memory) {
    for (int i = 0; i < call_stack::depth_max; ++i) {
        if (rules.registers[rules.return_address].how == kind::undefined) return true;
        if (!step(rules, registers, memory)) return false;
        const word pc = registers[rules.return_address].value_or(0);
        if (pc == 0) return true;
        const std::optional<frame_rules> next = frame_rules_at(pc - (rules.is_signal_frame ? 0 : 1));
        if (!next) return false;
        rules = *next;
    }
    return true;
}

/// Finds the frame register of a function that no inner frame has saved: tries the return addresses of calls on the
/// stack. Takes the first one from which a walk arrives at the end of the stack; else the first one of a call to that
/// very function.
std::optional<word> search_frame(const frame_rules& rules, const known_registers& registers, memory_copy& memory) {
    const frame_rules::rule& stored = rules.registers[rules.return_address];
    if (stored.how != kind::at_offset || !rules.cfa_expression.empty()) return {};
    const word sp = *registers[stack_pointer];
    std::optional<word> of_function;
    for (word at = sp; at < sp + search_bytes; at += sizeof(word)) {
        const std::optional<word> value = memory.at(at);
        if (!value) break;
        const word cfa = at - static_cast<word>(stored.value);
        const call_found call = cfa % 16 == 0 ? call_before(*value, rules.function, memory) : call_found::none;
        if (call == call_found::none) continue;
        const word frame = cfa - static_cast<word>(rules.cfa_offset);
        known_registers tried = registers;
        tried[rules.cfa_register] = frame;
        if (reaches_the_end(rules, tried, memory)) return frame;
        if (call == call_found::to_function && !of_function) of_function = frame;
    }
    return of_function;
}

}  // namespace

void capture_suspended(std::uintptr_t pc, known_registers registers, bool is_interrupted, call_stack& into) {
    memory_copy memory;
    into.depth = 0;
    while (pc != 0) {
        // Frames are return addresses; the address of an interrupted instruction is stored plus one.
        const word frame = pc + (is_interrupted ? 1 : 0);
        into.frames[static_cast<std::size_t>(into.depth++)] = reinterpret_cast<const void*>(frame);
        const std::optional<frame_rules> rules = frame_rules_at(frame - 1);
        if (!rules || into.depth == call_stack::depth_max) return;
        std::optional<word>& base = registers[rules->cfa_register];
        if (!base) base = search_frame(*rules, registers, memory);
        if (!step(*rules, registers, memory)) return;
        pc = registers[rules->return_address].value_or(0);
        is_interrupted = rules->is_signal_frame;
    }
}

}  // namespace coir::detail
