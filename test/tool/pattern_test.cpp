#include "cli/exit_codes.hpp"
#include "read/pattern.hpp"

#include <doctest/doctest.h>

#include <string>

using detector::pattern;

TEST_CASE("pattern: matches anywhere, unless it is anchored") {
    CHECK(pattern{"load"}.matches("shop::load(int)"));
    CHECK(pattern{"^shop::(load|save)"}.matches("shop::save(int)"));
    CHECK_FALSE(pattern{"^load"}.matches("shop::load(int)"));
    CHECK_FALSE(pattern{"x"}.matches(""));
}

TEST_CASE("pattern: very long template names are handled") {
    CHECK(pattern{"(a|b)*c"}.matches(std::string(1'000'000, 'a') + 'c'));
}

TEST_CASE("pattern: an invalid pattern is an error with the reason") {
    CHECK_THROWS_WITH_AS(pattern{"("}, "'(' is not a regular expression: Unmatched ( or \\(", detector::usage_error);
}
