#pragma once

#include <coir/test/collected_errors.hpp>

#include <gtest/gtest.h>
#include <string>

/// @file Layer run.
/// Include this in one file of a program with GoogleTest: each test in which a fiber blocked its thread fails, with the
/// line, the call and the replacement to use. This works for tests that call `coir::run` themselves; a finding of a run that
/// encloses several tests comes when a fiber suspends, perhaps in a later one. COIR_BLOCKING_ENGINE=trap in the environment
/// finds more than the default.

namespace coir::test {

class gtest_listener : public ::testing::EmptyTestEventListener {
public:
    void OnTestStart(const ::testing::TestInfo& test) override {
        set_blocking_test_case(std::string{test.test_suite_name()} + '.' + test.name());
        static_cast<void>(collected_errors::of_process().take());  // of a run between two tests
    }

    void OnTestEnd(const ::testing::TestInfo& /*test*/) override {
        for (const std::string& each : collected_errors::of_process().take()) ADD_FAILURE() << each;
        set_blocking_test_case({});
    }
};

inline const bool gtest_listener_is_registered = [] {
    ::testing::UnitTest::GetInstance()->listeners().Append(new gtest_listener);  // GoogleTest deletes it
    return true;
}();

}  // namespace coir::test
