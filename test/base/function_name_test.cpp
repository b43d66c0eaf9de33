#include "base/function_name.hpp"

#include <doctest/doctest.h>

using coir::detail::demangle;
using coir::detail::is_plumbing_function;
using coir::detail::readable_name;
using coir::detail::without_lambda_lines;

TEST_CASE("function_name: mangled names are demangled, others do not change") {
    CHECK(demangle("_ZN4shop4loadEi") == "shop::load(int)");
    CHECK(demangle("nanosleep") == "nanosleep");
    CHECK(demangle("").empty());
}

TEST_CASE(
    "function_name: a readable name has neither a symbol version, nor an optimiser's suffix, nor string's arguments") {
    CHECK(readable_name("nanosleep@@GLIBC_2.17") == "nanosleep");
    CHECK(readable_name("_ZN4shop4loadEi.isra.0") == "shop::load(int)");
    CHECK(readable_name("_ZN4shop4loadENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE") ==
          "shop::load(std::string)");
}

TEST_CASE("function_name: the lines of lambdas can be left out of a name") {
    CHECK(without_lambda_lines("f(int)::{lambda at a.cpp:12}::{lambda at b.hpp:3}") == "f(int)::{lambda}::{lambda}");
    CHECK(without_lambda_lines("f(int)") == "f(int)");
    CHECK(without_lambda_lines("{lambda at ") == "{lambda");
}

TEST_CASE("function_name: coir and the C++ library are internal frames, user code in their templates is not") {
    CHECK(is_plumbing_function("_ZN4coir3runEv"));
    CHECK(is_plumbing_function("_ZNSt6vectorIiE9push_backEi"));
    CHECK(is_plumbing_function("_ZZN4coir3runEvENKUlvE_clEv"));
    CHECK_FALSE(is_plumbing_function("_ZZ4mainENKUlvE_clEv"));
    CHECK_FALSE(is_plumbing_function("_ZN4shop4loadEi"));
    CHECK_FALSE(is_plumbing_function("nanosleep"));
}
