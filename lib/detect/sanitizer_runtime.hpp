#pragma once

namespace coir::detail {

/// Looks up where the runtime of a sanitizer lies: GCC's, a library of its own. One that is linked into the program, as
/// clang's are, is not found. Not for signal handlers.
void find_sanitizer_runtime();

/// Whether the instruction before `address` is that runtime's own. Its system calls are no fiber's doing, and are made
/// with its locks held: who sees one must not call instrumented code. For signal handlers.
[[nodiscard]] bool is_in_sanitizer_runtime(const void* address) noexcept;

}  // namespace coir::detail
