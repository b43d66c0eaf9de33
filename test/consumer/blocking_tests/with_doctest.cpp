#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "work.hpp"

#include <doctest/doctest.h>

TEST_CASE("no fibers") { CHECK(1 + 1 == 2); }
TEST_CASE("a careful fiber") { careful(); }
TEST_CASE("a careless fiber") { careless(); }
