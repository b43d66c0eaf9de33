#pragma once

#include "base/dwarf_scopes.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace coir::detail {

struct child_answer;

/// The debug information of the modules of this process. Read in a child process (`ask_child`): libdw calls exit(3) or
/// crashes when it has no memory, and this process must survive that. Without COIR_SYMBOLS, or if no child answers, no
/// function is found.
class debug_information {
public:
    /// For each address, the functions there, innermost first.
    using functions = std::vector<std::vector<code_scope>>;

    [[nodiscard]] functions look_up(std::span<const std::uintptr_t> addresses);

    /// Why no child has answered, for the log; empty the next time.
    [[nodiscard]] std::string take_message();

private:
    functions ask(std::span<const std::uintptr_t> addresses);
    void note(const child_answer& failed);

    int failures_ = 0;  // in a row
    std::string message_;
};

}  // namespace coir::detail
