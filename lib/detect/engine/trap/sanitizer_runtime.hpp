#pragma once

namespace coir::detail {

/// The module that contains the runtime of a sanitizer.
enum class sanitizer_runtime { none, library, in_program };

/// Finds the sanitizer runtime. GCC's is a shared library. clang's is linked into the program, where its code cannot be
/// distinguished from other code. Must not be called in a signal handler.
sanitizer_runtime find_sanitizer_runtime();

/// Whether the instruction before `address` belongs to a sanitizer runtime in a shared library. The runtime makes its
/// system calls for itself and with its locks held, so a handler of such a call must not call instrumented code. Safe
/// in signal handlers.
[[nodiscard]] bool is_in_sanitizer_runtime(const void* address) noexcept;

}  // namespace coir::detail
