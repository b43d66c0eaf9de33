#pragma once

#include <coir/test/collected_errors.hpp>

#if __has_include(<catch2/reporters/catch_reporter_event_listener.hpp>)
#include <catch2/catch_test_macros.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#else
#include <catch2/catch.hpp>
#endif

/// @file Layer run.
/// Include this in one file of a program with Catch2 (version 2: in the file that defines CATCH_CONFIG_MAIN or
/// CATCH_CONFIG_RUNNER, or define CATCH_CONFIG_EXTERNAL_INTERFACES before): each test case in which a fiber blocked its
/// thread fails, with the line, the call and the replacement to use. This works for test cases that call `coir::run`
/// themselves; a finding of a run that encloses several test cases comes when a fiber suspends, perhaps in a later one.
/// COIR_BLOCKING_ENGINE=trap in the environment finds more than the default.

namespace coir::test {

#if __has_include(<catch2/reporters/catch_reporter_event_listener.hpp>)
using catch2_listener_base = Catch::EventListenerBase;
#else
using catch2_listener_base = Catch::TestEventListenerBase;
#endif

class catch2_listener : public catch2_listener_base {
public:
    using catch2_listener_base::catch2_listener_base;

    void testCaseStarting(const Catch::TestCaseInfo& test) override {
        set_blocking_test_case(test.name);
        static_cast<void>(collected_errors::of_process().take());  // of a run between two test cases
        catch2_listener_base::testCaseStarting(test);
    }

    /// The test case itself is its outermost section. Its failures still count here, and no longer in `testCaseEnded`.
    void sectionEnded(const Catch::SectionStats& section) override {
        for (const std::string& each : collected_errors::of_process().take()) {
#ifdef CATCH_CONFIG_PREFIX_ALL
            CATCH_FAIL_CHECK(each);
#else
            FAIL_CHECK(each);
#endif
        }
        catch2_listener_base::sectionEnded(section);
    }

    void testCaseEnded(const Catch::TestCaseStats& test) override {
        set_blocking_test_case({});
        catch2_listener_base::testCaseEnded(test);
    }
};

CATCH_REGISTER_LISTENER(catch2_listener)

}  // namespace coir::test
