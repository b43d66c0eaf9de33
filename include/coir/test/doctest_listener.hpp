#pragma once

#include <coir/blocking.hpp>

#include <doctest/doctest.h>

/// @file Layer run.
/// Include this in one file of a program with doctest: each test case in which a fiber blocked its thread fails, with the
/// line, the call and the replacement to use. This works for test cases that call `coir::run` themselves; findings of a
/// run that encloses several test cases come at its end. COIR_BLOCKING_ENGINE=trap in the environment finds more than the
/// default.

namespace coir::test {

/// doctest decides whether a test case has failed before it tells its listeners that it has ended. So the assertion is
/// made by the detector's thread, while the thread of the test case waits for it at the end of `coir::run`.
inline const bool doctest_listener_is_registered = [] {
    set_blocking_listener([](const blocking_report& what) {
        if (what.level == blocking_level::error && doctest::is_running_in_test)
            DOCTEST_ADD_FAIL_CHECK_AT("coir", 0, what.text);
    });
    return true;
}();

}  // namespace coir::test
