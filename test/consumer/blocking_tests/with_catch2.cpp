#define CATCH_CONFIG_MAIN
#include "work.hpp"

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

TEST_CASE("no fibers") { CHECK(1 + 1 == 2); }
TEST_CASE("a careful fiber") { careful(); }
TEST_CASE("a careless fiber") { careless(); }
