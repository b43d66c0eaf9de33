#include "base/read_memory.hpp"

#include <doctest/doctest.h>

#include <sys/mman.h>

TEST_CASE("read_memory: copies readable memory, and does not fault on unmapped memory") {
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    *static_cast<int*>(page) = 42;
    int copied = 0;
    CHECK(coir::detail::read_memory(&copied, page, sizeof copied));
    CHECK(copied == 42);
    REQUIRE(::mprotect(page, 4096, PROT_NONE) == 0);
    CHECK_FALSE(coir::detail::read_memory(&copied, page, sizeof copied));
    REQUIRE(::munmap(page, 4096) == 0);
    CHECK_FALSE(coir::detail::read_memory(&copied, page, sizeof copied));
}
