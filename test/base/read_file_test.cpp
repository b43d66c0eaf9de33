#include "base/read_file.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <sys/stat.h>
#include <system_error>

using coir::detail::open_regular_file;
using coir::detail::read_file;
using coir::detail::read_regular_file;

TEST_CASE("read_file: returns all bytes, also of a file that reports no size") {
    CHECK(read_file("/dev/null", "test").empty());
    CHECK(read_file("/proc/self/status", "test").starts_with("Name:"));
}

TEST_CASE("read_file: the error for an unreadable file names the purpose") {
    CHECK_THROWS_WITH_AS((void)read_file("/no/such/file", "the list"),
                         "the list: /no/such/file: No such file or directory", std::system_error);
    CHECK_THROWS_AS((void)read_file("/", "the list"), std::system_error);
}

TEST_CASE("read_file: only a regular file is opened where another program has chosen the path") {
    const coir::test::temporary_folder folder;
    const std::string fifo = folder.file("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    for (const std::string& each : {fifo, std::string{"/dev/zero"}, std::string{"/"}, std::string{"/no/such/file"}}) {
        CHECK_FALSE(open_regular_file(each));
        CHECK_FALSE(read_regular_file(each, 100));
    }
    const std::string regular = folder.file("regular");
    std::ofstream{regular} << "text";
    CHECK(open_regular_file(regular));
    CHECK(read_regular_file(regular, 4) == "text");
    CHECK_FALSE(read_regular_file(regular, 3));
}
