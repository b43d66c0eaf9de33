#include "core/task/task_stack.hpp"

#include "base/suspended_stack.hpp"
#include "base/symbols.hpp"
#include "core/switch/suspended_registers.hpp"

#include <algorithm>

namespace coir::detail {

call_stack stack_of(const task& fiber, bool runs) {
    call_stack found;
    if (runs) {
        capture_from(__builtin_return_address(0), found);
    } else if (fiber.stack.sp != nullptr) {
        const suspended_registers registers{fiber.flow};
        capture_suspended(registers.pc, registers.values, false, found);
    }
    return found;
}

std::size_t stack_bytes_used(const task& fiber) noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(fiber.stack.sp) -
                                    static_cast<const std::byte*>(fiber.flow.at));
}

std::vector<std::string> describe_stack(const call_stack& stack) {
    look_up_symbols(stack.captured());
    std::vector<symbol> all;
    for (const void* const frame : stack.captured()) {
        const std::vector<symbol> here = symbolise(frame);
        all.insert(all.end(), here.begin(), here.end());
    }
    // The innermost and outermost functions are those of the wait and of the start of a fiber.
    const auto first = std::ranges::find(all, false, &symbol::is_plumbing);
    const auto last = std::find_if(all.rbegin(), all.rend(), [](const symbol& each) { return !each.is_plumbing; });
    std::vector<std::string> lines;
    if (first == all.end()) return lines;
    for (auto each = first; each != last.base(); ++each)
        lines.push_back(each->file.empty() ? describe(*each) : each->function + " at " + describe(*each));
    return lines;
}

}  // namespace coir::detail
