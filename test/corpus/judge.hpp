#pragma once

#include "corpus/entry.hpp"

namespace coir::test {

/// Runs each entry in a separate run, once alone on its core and once with a process that never sleeps on the same
/// core, and checks the verdict of the engine `trap`. Without traps, other engines may miss the call, but must not
/// report a wrong one.
void judge(const table& entries);

}  // namespace coir::test
