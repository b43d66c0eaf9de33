#include <coir/process/environment.hpp>

#include "support/error_of.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace coir::test;
using coir::environment;
using namespace std::string_view_literals;

TEST_CASE("environment: when inherited, it has the program's variables at that time") {
    ::setenv("COIR_TEST_VARIABLE", "a=b", 1);
    const environment copy = environment::inherited();
    ::unsetenv("COIR_TEST_VARIABLE");
    CHECK(copy.variables().at("COIR_TEST_VARIABLE") == "a=b");
    CHECK_FALSE(environment::inherited().variables().contains("COIR_TEST_VARIABLE"));
}

TEST_CASE("environment: variables can be added, replaced and removed") {
    environment made;
    made.set("A", "1").set("B", "").set("A", "2").unset("B").unset("never there");
    CHECK(made.variables().size() == 1);
    CHECK(made.variables().at("A") == "2");
    CHECK(environment{{"A", "1"}, {"B", "2"}}.variables().size() == 2);
    CHECK(environment{}.variables().empty());
}

TEST_CASE("environment: names that are empty or contain '=' or NUL are refused") {
    environment made;
    for (const std::string_view name : {""sv, "A=B"sv, "="sv, "A\0B"sv}) {
        CHECK(error_of([&] { made.set(name, "1"); }) == std::errc::invalid_argument);
    }
    CHECK(error_of([&] { made.set("A", "1\0002"sv); }) == std::errc::invalid_argument);
    CHECK(error_of([&] { environment{{"", "1"}}; }) == std::errc::invalid_argument);
    CHECK(made.variables().empty());
}
