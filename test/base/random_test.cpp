#include "base/random.hpp"

#include <doctest/doctest.h>

#include <array>

using coir::detail::random_numbers;

TEST_CASE("random_numbers: match splitmix64") {
    random_numbers from_zero{0};  // first values of the reference implementation
    CHECK(from_zero.next() == 0xe220a8397b1dcdafU);
    CHECK(from_zero.next() == 0x6e789e6aa1b965f4U);
    CHECK(from_zero.next() == 0x06c45d188009454fU);
}

TEST_CASE("random_numbers: below returns each number about equally often") {
    random_numbers numbers{7};
    std::array<int, 5> seen{};
    for (int i = 0; i < 10'000; ++i) ++seen.at(numbers.below(seen.size()));
    for (const int count : seen) {
        CHECK(count > 1'800);
        CHECK(count < 2'200);
    }
}
