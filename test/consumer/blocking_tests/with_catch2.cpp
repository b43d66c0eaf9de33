#define CATCH_CONFIG_MAIN
#include "work.hpp"

#ifdef WITH_LISTENER
#include <coir/test/catch2_listener.hpp>
#endif

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

TEST_CASE("no fibers") { CHECK(1 + 1 == 2); }
TEST_CASE("a careful fiber") { careful(); }
TEST_CASE("a careless fiber") { careless(); }
