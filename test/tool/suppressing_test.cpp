#include "cli/exit_codes.hpp"
#include "read/suppressing.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::test::a_sleep;
using coir::test::library_function;
using coir::test::scratch_folder;
using detector::finding;
using detector::suppressing;

namespace {

/// The built-in rule that suppresses a finding with this function in its stack.
std::string by_built_in(const char* function) {
    std::vector<finding> findings{a_sleep()};
    findings[0].stack.insert(findings[0].stack.begin() + 1, library_function(function));
    suppressing{{}}.apply(findings);
    return findings[0].suppressed_by;
}

}  // namespace

TEST_CASE("suppressing: the matching rule is named, and its hits are the number of calls") {
    const scratch_folder folder;
    suppressing rules{
        {folder.with("a", "class:disk\nfiber:^work* reason=known\n"), folder.with("b", "src:retry.cpp\n")}};
    std::vector<finding> findings{a_sleep(), a_sleep()};
    rules.apply(findings);
    CHECK(findings[0].suppressed_by == "fiber:^work*");
    CHECK(rules.hits() ==
          std::vector<std::string>{"suppressed 6 times by " + folder.at("a") + ":2: fiber:^work* (known)"});
    CHECK(rules.unused() == std::vector<std::string>{"unused suppression: " + folder.at("a") + ":1: class:disk",
                                                     "unused suppression: " + folder.at("b") + ":1: src:retry.cpp"});
}

TEST_CASE("suppressing: an expired rule suppresses nothing, and is reported") {
    const scratch_folder folder;
    const std::string file = folder.with("rules", "class:sleep until=2001-02-03\nclass:sleep until=2999-01-01\n");
    suppressing rules{{file}};
    std::vector<finding> findings{a_sleep()};
    rules.apply(findings);
    CHECK_FALSE(findings[0].suppressed_by.empty());
    CHECK(rules.unused() ==
          std::vector<std::string>{"expired suppression (last day 2001-02-03): " + file + ":1: class:sleep"});
}

TEST_CASE("suppressing: libraries are named by their file names, without folders") {
    const scratch_folder folder;
    suppressing rules{{folder.with("rules", "called-from-lib:^libc.so")}};
    std::vector<finding> findings{a_sleep()};
    rules.apply(findings);
    CHECK_FALSE(findings[0].suppressed_by.empty());
}

TEST_CASE(
    "suppressing: calls of test frameworks and sanitizers are suppressed, but not those of the code that they call") {
    for (const char* each :
         {"doctest::detail::ResultBuilder::log()", "doctest::(anonymous namespace)::ConsoleReporter::log_assert()",
          "testing::internal::PrettyUnitTestResultPrinter::OnTestPartResult()",
          "Catch::ConsoleReporter::assertionEnded()", "__gcov_dump", "__sanitizer::internal_nanosleep(void*)",
          "__asan::ReportGenericError()", "__tsan::OutputReport(__tsan::ThreadState*)", "__ubsan::Diag::~Diag()"}) {
        CAPTURE(each);
        CHECK_FALSE(by_built_in(each).empty());
    }
    for (const char* each :
         {"doctest::Context::run()", "testing::Test::Run()", "testing::UnitTest::Run()", "Catch::TestCase::invoke()",
          "__interceptor_nanosleep", "shop::doctest::ResultBuilder::log()"}) {
        CAPTURE(each);
        CHECK(by_built_in(each).empty());
    }
}

TEST_CASE("suppressing: built-in rules are never reported as unused") { CHECK(suppressing{{}}.unused().empty()); }

TEST_CASE("suppressing: an unreadable file or an invalid line is a usage error") {
    const scratch_folder folder;
    CHECK_THROWS_AS(suppressing{{folder.at("none")}}, detector::usage_error);
    CHECK_THROWS_AS(suppressing{{folder.with("rules", "hello\n")}}, detector::usage_error);
}
