#include "base/read_file.hpp"

#include <doctest/doctest.h>

#include <system_error>

using coir::detail::read_file;

TEST_CASE("read_file: returns all bytes, also of a file that reports no size") {
    CHECK(read_file("/dev/null", "test").empty());
    CHECK(read_file("/proc/self/status", "test").starts_with("Name:"));
}

TEST_CASE("read_file: the error for an unreadable file names the purpose") {
    CHECK_THROWS_WITH_AS((void)read_file("/no/such/file", "the list"),
                         "the list: /no/such/file: No such file or directory", std::system_error);
    CHECK_THROWS_AS((void)read_file("/", "the list"), std::system_error);
}
