#include "core/switch/stack_layout.hpp"

#include <doctest/doctest.h>

using coir::detail::stack_layout;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t pages[] = {4 * kib, 16 * kib, 64 * kib};
constexpr std::size_t mib = 1024 * kib;

stack_layout layout_of(std::size_t bytes, std::size_t page) {
    return stack_layout::of(stack_layout::round_up(bytes, page), page);
}

}  // namespace

TEST_CASE("stack_layout: the page size is that of the kernel") {
    CHECK(coir::detail::page_size() == static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
}

TEST_CASE("stack_layout: a size is rounded up to whole pages, and is at least 16 KiB") {
    CHECK(stack_layout::round_up(0, 4 * kib) == 16 * kib);
    CHECK(stack_layout::round_up(16 * kib + 1, 4 * kib) == 20 * kib);
    CHECK(stack_layout::round_up(16 * kib + 1, 16 * kib) == 32 * kib);
    CHECK(stack_layout::round_up(0, 64 * kib) == 64 * kib);
    CHECK(stack_layout::round_up(256 * kib, 64 * kib) == 256 * kib);
}

TEST_CASE("stack_layout: with every page size, guard and usable part are whole pages, and neither is empty") {
    for (const std::size_t page : pages) {
        CAPTURE(page);
        for (std::size_t asked = 0; asked <= 2 * mib; asked += 1000) {
            const stack_layout made = layout_of(asked, page);
            REQUIRE(made.guard >= page);
            REQUIRE(made.room >= page);
            REQUIRE(made.guard % page == 0);
            REQUIRE(made.room % page == 0);
            REQUIRE(made.guard <= 64 * kib);
        }
    }
}

TEST_CASE("stack_layout: with every page size, the usable part is at least three quarters of the requested size, or "
          "all but 64 KiB") {
    for (const std::size_t page : pages) {
        CAPTURE(page);
        for (std::size_t asked = 16 * kib; asked <= 2 * mib; asked += 1000) {
            const stack_layout made = layout_of(asked, page);
            REQUIRE(made.room >= asked - std::min(asked / 4, 64 * kib));
            REQUIRE(made.bytes() >= asked);
        }
    }
}

TEST_CASE("stack_layout: with pages of 4 KiB, or from 256 KiB on, a stack is no larger than requested") {
    for (std::size_t asked = 16 * kib; asked <= 2 * mib; asked += 4 * kib) {
        REQUIRE(layout_of(asked, 4 * kib).bytes() == asked);
    }
    for (const std::size_t page : pages) {
        for (std::size_t asked = 256 * kib; asked <= 2 * mib; asked += 64 * kib) {
            REQUIRE(layout_of(asked, page).bytes() == asked);
        }
    }
}

TEST_CASE("stack_layout: small stacks on large pages have one guard page and one usable page") {
    const stack_layout smallest = layout_of(0, 64 * kib);
    CHECK(smallest.guard == 64 * kib);
    CHECK(smallest.room == 64 * kib);
    const stack_layout twice = layout_of(128 * kib, 64 * kib);
    CHECK(twice.guard == 64 * kib);
    CHECK(twice.room == 128 * kib);
    const stack_layout on_16 = layout_of(64 * kib, 16 * kib);
    CHECK(on_16.guard == 16 * kib);
    CHECK(on_16.room == 48 * kib);
}
