#pragma once

namespace coir::detail {

/// Where the runtime of a sanitizer lies.
enum class sanitizer_runtime { none, library, in_program };

/// Looks it up: GCC's is a library of its own; clang's is linked into the program, where its code cannot be told from
/// other code. Not for signal handlers.
sanitizer_runtime find_sanitizer_runtime();

/// Whether the instruction before `address` is that of such a library. Its system calls are no fiber's doing, and are
/// made with its locks held: who sees one must not call instrumented code. For signal handlers.
[[nodiscard]] bool is_in_sanitizer_runtime(const void* address) noexcept;

}  // namespace coir::detail
