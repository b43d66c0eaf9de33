#pragma once

#include "corpus/entry.hpp"

namespace coir::test {

/// Plays each entry in a run of its own, alone on its core and then beside a process that never sleeps, and checks what
/// the engine `trap` says of it. Where there are no traps the other engines may miss it, but not say what is wrong.
void judge(const table& entries);

}  // namespace coir::test
