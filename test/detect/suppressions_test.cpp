#include "detect/finding/suppressions.hpp"
#include "detect/reports.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <system_error>

using coir::blocking_class;
using coir::detail::finding;
using coir::detail::glob_matches;

namespace {

bool suppressed(const std::string& rules, const finding& what) {
    const coir::test::temporary_file file{rules};
    return coir::detail::suppressions{file.path()}.match(what);
}

finding sample() {
    finding made;
    made.category = blocking_class::disk;
    made.call = "fsync";
    made.fiber = "writer-7";
    made.stack = {{.function = "legacy::save(int)", .file = "/src/third_party/legacy.cpp", .line = 3, .module = "app"},
                  {.function = "main", .file = "/src/main.cpp", .line = 9, .module = "/usr/lib/libpq.so.5"}};
    return made;
}

}  // namespace

TEST_CASE("suppressions: a star matches any text, also empty text") {
    CHECK(glob_matches("", ""));
    CHECK(glob_matches("*", ""));
    CHECK(glob_matches("a*c", "ac"));
    CHECK(glob_matches("a*c", "abbc"));
    CHECK(glob_matches("*b*b", "abcbb"));
    CHECK_FALSE(glob_matches("a*c", "acd"));
    CHECK_FALSE(glob_matches("", "a"));
}

TEST_CASE("suppressions: each kind of rule matches its part of the report") {
    CHECK(suppressed("call-stack-contains:legacy::*", sample()));
    CHECK_FALSE(suppressed("call-stack-contains:modern::*", sample()));
    CHECK(suppressed("function-name-matches:sync", sample()));
    CHECK_FALSE(suppressed("function-name-matches:^sync", sample()));
    CHECK(suppressed("called-from-lib:libpq", sample()));
    CHECK(suppressed("src:*/third_party/*", sample()));
    CHECK(suppressed("class:disk", sample()));
    CHECK_FALSE(suppressed("class:sleep", sample()));
    CHECK(suppressed("fiber:^writer-*$", sample()));
    CHECK_FALSE(suppressed("fiber:^writer$", sample()));
}

TEST_CASE("suppressions: rules joined by && must all match, lines are alternatives") {
    CHECK(suppressed("class:disk && fiber:writer-*", sample()));
    CHECK_FALSE(suppressed("class:disk && fiber:reader-*", sample()));
    CHECK(suppressed("# what we know of\n\nclass:sleep\n  class:disk  \n", sample()));
    CHECK_FALSE(suppressed("# class:disk\n", sample()));
}

TEST_CASE("suppressions: a rule is valid up to its date, and its reason is not part of it") {
    CHECK(suppressed("class:disk until=2999-12-31", sample()));
    CHECK_FALSE(suppressed("class:disk until=2001-12-31", sample()));
    CHECK(suppressed("class:disk reason=it is && meant until=2999-12-31", sample()));
    coir::detail::suppressions rules;
    rules.add("\n class:disk && fiber:writer-* until=2999-12-31 reason=ticket 7 \n", "file");
    REQUIRE(rules.rules().size() == 1);
    CHECK(rules.rules()[0].text == "class:disk && fiber:writer-*");
    CHECK(rules.rules()[0].location == "file:2");
    CHECK(rules.rules()[0].reason == "ticket 7");
    CHECK_FALSE(rules.rules()[0].is_over());
}

TEST_CASE("suppressions: the first matching rule is returned") {
    coir::detail::suppressions rules;
    rules.add("class:sleep\nclass:disk\nfiber:writer", "file");
    REQUIRE(rules.match(sample()) != nullptr);
    CHECK(rules.match(sample())->location == "file:2");
}

TEST_CASE("suppressions: an invalid date, a rule without a pattern and a folder are errors") {
    for (const char* wrong : {"class:disk until=soon", "class:disk until=2026-02-30", "class:disk until=2026-1-1",
                              "class:disk until=", "src:", "class:disk &&"}) {
        CAPTURE(wrong);
        coir::detail::suppressions rules;
        CHECK_THROWS_AS(rules.add(wrong, "file"), std::invalid_argument);
    }
    CHECK_THROWS_AS(coir::detail::suppressions{"/"}, std::system_error);
}

TEST_CASE("suppressions: an invalid line is an error that names the file and the line") {
    const coir::test::temporary_file file{"class:disk\nclas:disk\n"};
    CHECK_THROWS_WITH_AS(coir::detail::suppressions{file.path()},
                         (file.path() + ":2: 'clas:disk' is not a rule; a rule begins with call-stack-contains:, "
                                        "function-name-matches:, called-from-lib:, src:, class: or fiber:")
                             .c_str(),
                         std::invalid_argument);
    const coir::test::temporary_file unknown{"class:naps\n"};
    CHECK_THROWS_AS(coir::detail::suppressions{unknown.path()}, std::invalid_argument);
    CHECK_THROWS_AS(coir::detail::suppressions{"/nowhere/at/all"}, std::system_error);
}
