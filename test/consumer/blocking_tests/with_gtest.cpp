#include "work.hpp"

#include <gtest/gtest.h>

TEST(gtest, no_fibers) { EXPECT_EQ(1 + 1, 2); }
TEST(gtest, careful_fiber) { careful(); }
TEST(gtest, careless_fiber) { careless(); }
