#pragma once

namespace coir::test {

/// Hides an object's address from the compiler, so that it does not shrink or remove an array that is only partly used.
inline void escape(volatile void* address) { asm volatile("" : : "r"(address) : "memory"); }

}  // namespace coir::test
