#include "work.hpp"

#ifdef WITH_LISTENER
#include <coir/test/gtest_listener.hpp>
#endif

#include <gtest/gtest.h>

TEST(a, no_fibers) { EXPECT_EQ(1 + 1, 2); }
TEST(a, careful_fiber) { careful(); }
TEST(a, careless_fiber) { careless(); }
