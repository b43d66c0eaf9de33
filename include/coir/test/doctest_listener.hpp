#pragma once

#include <coir/blocking.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>

/// @file Layer run.
/// Include this in one file of a program with doctest: each test case in which a fiber blocked its thread fails, with the
/// line, the call and the replacement to use. This works for test cases that call `coir::run` themselves; a finding of a
/// run that encloses several test cases comes when a fiber suspends, perhaps in a later one. COIR_BLOCKING_ENGINE=trap in
/// the environment finds more than the default.

namespace coir::test {

/// doctest decides whether a test case has failed before it tells its listeners that it has ended. So the assertion is
/// made at once, and for each location once.
inline const bool doctest_failures_are_registered = [] {
    set_blocking_listener([failed = std::set<std::uint64_t>{}](const blocking_report& what) mutable {
        if (what.level != blocking_level::error || !doctest::is_running_in_test) return;
        if (failed.insert(what.id).second) DOCTEST_ADD_FAIL_CHECK_AT("coir", 0, what.text);
    });
    return true;
}();

/// Names the test case in the findings.
class doctest_listener : public doctest::IReporter {
public:
    explicit doctest_listener(const doctest::ContextOptions& /*options*/) {}

    void test_case_start(const doctest::TestCaseData& test) override { set_blocking_test_case(test.m_name); }
    void test_case_end(const doctest::CurrentTestCaseStats& /*result*/) override { set_blocking_test_case({}); }

    void report_query(const doctest::QueryData& /*query*/) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& /*result*/) override {}
    void test_case_reenter(const doctest::TestCaseData& /*test*/) override {}
    void test_case_exception(const doctest::TestCaseException& /*thrown*/) override {}
    void subcase_start(const doctest::SubcaseSignature& /*part*/) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData& /*claim*/) override {}
    void log_message(const doctest::MessageData& /*message*/) override {}
    void test_case_skipped(const doctest::TestCaseData& /*test*/) override {}
};

DOCTEST_REGISTER_LISTENER("coir", 1, doctest_listener);

}  // namespace coir::test
