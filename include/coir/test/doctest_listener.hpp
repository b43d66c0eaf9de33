#pragma once

#include <coir/blocking.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>

/// @file Layer run.
/// Include this in one file of a program with doctest: each test case in which a fiber blocked its thread fails, with the
/// line, the call and the replacement to use. This works for test cases that call `coir::run` themselves; a
/// finding of a run that encloses several test cases comes when a fiber suspends, perhaps in a later one.
/// COIR_BLOCKING_ENGINE=trap in the environment finds more than the default.

namespace coir::test {

/// doctest decides whether a test case has failed before it tells its listeners that it has ended. So the assertion is
/// made at once, and for each location once.
inline const bool doctest_listener_is_registered = [] {
    set_blocking_listener([failed = std::set<std::uint64_t>{}](const blocking_report& what) mutable {
        if (what.level != blocking_level::error || !doctest::is_running_in_test) return;
        if (failed.insert(what.id).second) DOCTEST_ADD_FAIL_CHECK_AT("coir", 0, what.text);
    });
    return true;
}();

}  // namespace coir::test
