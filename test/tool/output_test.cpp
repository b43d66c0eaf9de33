#include "render/output.hpp"
#include "tool/run_tool.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

using coir::test::content_of;
using coir::test::scratch_folder;
using detector::write_file;

TEST_CASE("output: a file is replaced as a whole, and no temporary file remains") {
    const scratch_folder folder;
    const std::string path = folder.with("report", "an older and longer one");
    write_file(path, "new");
    CHECK(content_of(path) == "new");
    CHECK(folder.files() == std::vector<std::string>{"report"});
}

TEST_CASE("output: a file has the default permissions") {
    const scratch_folder folder;
    const mode_t before = ::umask(027);
    write_file(folder.at("report"), "text");
    ::umask(before);
    struct stat about {};
    REQUIRE(::stat(folder.at("report").c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0640);
}

TEST_CASE("output: a file that is replaced keeps its permissions, and a symbolic link remains") {
    const scratch_folder folder;
    const std::string path = folder.with("report", "old");
    const std::string link = folder.at("link");
    REQUIRE(::chmod(path.c_str(), 0600) == 0);
    REQUIRE(::symlink("report", link.c_str()) == 0);
    for (const std::string& each : {path, link}) {
        CAPTURE(each);
        write_file(each, "new, to " + each);
        CHECK(content_of(path) == "new, to " + each);
        struct stat about {};
        REQUIRE(::lstat(path.c_str(), &about) == 0);
        CHECK((about.st_mode & 07777) == 0600);
        REQUIRE(::lstat(link.c_str(), &about) == 0);
        CHECK(S_ISLNK(about.st_mode));
    }
}

TEST_CASE("output: a file that cannot be written is an error that names it, and the old file remains") {
    const scratch_folder folder;
    CHECK_THROWS_WITH_AS(write_file("/dev/full", "text"), "cannot write /dev/full: No space left on device",
                         std::system_error);
    CHECK_THROWS_AS(write_file(folder.at("no/such/folder"), "text"), std::system_error);
    CHECK(folder.files().empty());
}

TEST_CASE("output: a report for /dev/stderr goes to standard error, even if that is a file with other content") {
    const coir::test::tool_ending ending = coir::test::run_tool({"run", "-o", "text:/dev/stderr", BLOCKERS, "load"});
    CHECK(ending.status == 66);
    CHECK(ending.complains("asleep in nanosleep"));
    CHECK_FALSE(ending.says("asleep in nanosleep"));
    struct stat about {};
    REQUIRE(::lstat("/dev/stderr", &about) == 0);
    CHECK(S_ISLNK(about.st_mode));
}

TEST_CASE("output: a device is written to, not replaced") {
    write_file("/dev/null", "text");
    struct stat about {};
    REQUIRE(::stat("/dev/null", &about) == 0);
    CHECK(S_ISCHR(about.st_mode));
}
