#pragma once

#include "detect/engine/trap/interrupted_registers.hpp"

namespace coir::detail {

// System calls by int $0x80, the gate for 32-bit programs. Arguments and addresses have 32 bits, and the calls have the
// numbers of asm/unistd_32.h. They are made as they were asked for.

/// As `trapped_fiber::pass_to_fiber`.
bool pass_int80_to_fiber(interrupted_registers& fiber, const trapped_call& call) noexcept;

/// Makes the call in the handler. Returns its result.
long make_by_int80(interrupted_registers& fiber, const trapped_call& call);

}  // namespace coir::detail
