#include "base/function_name.hpp"

#include <doctest/doctest.h>

using coir::detail::demangle;
using coir::detail::is_plumbing_function;

TEST_CASE("function_name: mangled names are demangled, others do not change") {
    CHECK(demangle("_ZN4shop4loadEi") == "shop::load(int)");
    CHECK(demangle("nanosleep") == "nanosleep");
    CHECK(demangle("").empty());
}

TEST_CASE("function_name: coir and the C++ library are internal frames, user code in their templates is not") {
    CHECK(is_plumbing_function("_ZN4coir3runEv"));
    CHECK(is_plumbing_function("_ZNSt6vectorIiE9push_backEi"));
    CHECK(is_plumbing_function("_ZZN4coir3runEvENKUlvE_clEv"));
    CHECK_FALSE(is_plumbing_function("_ZZ4mainENKUlvE_clEv"));
    CHECK_FALSE(is_plumbing_function("_ZN4shop4loadEi"));
    CHECK_FALSE(is_plumbing_function("nanosleep"));
}
