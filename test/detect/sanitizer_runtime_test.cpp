#include "detect/engine/trap/sanitizer_runtime.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <dlfcn.h>

using coir::detail::is_in_sanitizer_runtime;

namespace {

/// An address in a function of a shared library.
const void* inside(const char* function) {
    const void* const begin = ::dlsym(RTLD_DEFAULT, function);
    REQUIRE(begin != nullptr);
    return static_cast<const std::byte*>(begin) + 1;
}

}  // namespace

TEST_CASE("sanitizer_runtime: neither the program nor the C library is a sanitizer runtime") {
    coir::detail::find_sanitizer_runtime();
    CHECK_FALSE(is_in_sanitizer_runtime(__builtin_return_address(0)));
    CHECK_FALSE(is_in_sanitizer_runtime(inside("getppid")));
    CHECK_FALSE(is_in_sanitizer_runtime(nullptr));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
TEST_CASE("sanitizer_runtime: GCC's runtime, a shared library, is detected") {
    coir::detail::find_sanitizer_runtime();
    CHECK(is_in_sanitizer_runtime(inside("__sanitizer_print_stack_trace")));
    CHECK(is_in_sanitizer_runtime(inside("__sanitizer_set_report_path")));
}
#endif
