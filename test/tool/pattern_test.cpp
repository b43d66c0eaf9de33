#include "exit_codes.hpp"
#include "pattern.hpp"

#include <doctest/doctest.h>

#include <string>

using detector::pattern;

TEST_CASE("pattern: matches anywhere, unless it is bound to an end") {
    CHECK(pattern{"load"}.matches("shop::load(int)"));
    CHECK(pattern{"^shop::(load|save)"}.matches("shop::save(int)"));
    CHECK_FALSE(pattern{"^load"}.matches("shop::load(int)"));
    CHECK_FALSE(pattern{"x"}.matches(""));
}

TEST_CASE("pattern: names as long as templates make them are no trouble") {
    CHECK(pattern{"(a|b)*c"}.matches(std::string(1'000'000, 'a') + 'c'));
}

TEST_CASE("pattern: a text that is none is an error that says why") {
    CHECK_THROWS_WITH_AS(pattern{"("}, "'(' is not a regular expression: Unmatched ( or \\(", detector::usage_error);
}
