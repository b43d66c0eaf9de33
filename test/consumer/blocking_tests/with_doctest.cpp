#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "work.hpp"

#ifdef WITH_LISTENER
#include <coir/test/doctest_listener.hpp>
#endif

#include <doctest/doctest.h>

TEST_CASE("no fibers") { CHECK(1 + 1 == 2); }
TEST_CASE("a careful fiber") { careful(); }
TEST_CASE("a careless fiber") { careless(); }
