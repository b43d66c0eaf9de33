#pragma once

#include "detect/finding/level.hpp"
#include "read/result.hpp"
#include "support/text.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coir::test {

/// A user function with source location.
inline detector::frame users_function(std::string function, std::string file, int line) {
    return {
        .function = std::move(function), .file = std::move(file), .line = line, .module = "/app/server", .offset = 16};
}

/// A library function without debug information.
inline detector::frame library_function(std::string function) {
    return {.function = std::move(function), .file = "", .line = 0, .module = "/lib/libc.so.6", .offset = 32};
}

/// Asleep in nanosleep, three times, at src/retry.cpp:12.
inline detector::finding a_sleep() {
    detector::finding made;
    made.kind = blocking_kind::blocked;
    made.category = blocking_class::sleep;
    made.call = "nanosleep";
    made.count = 3;
    made.total_ms = 60;
    made.max_ms = 25;
    made.fiber = "worker";
    made.spawned_at = "src/main.cpp:30";
    made.stack = {library_function("nanosleep"), users_function("shop::retry(int)", "src/retry.cpp", 12),
                  users_function("shop::run()", "src/main.cpp", 31)};
    made.location = 1;
    made.fingerprint = "0123abcd";
    made.coarse_fingerprint = "abcd0123";
    return made;
}

inline detector::finding a_hog() {
    detector::finding made;
    made.kind = blocking_kind::hog;
    made.category = blocking_class::cpu;
    made.count = 1;
    made.total_ms = 1250;
    made.max_ms = 1250;
    made.fiber = "#7";
    made.spawned_at = "src/main.cpp:33";
    made.stack = {users_function("shop::rank()", "src/rank.cpp", 97),
                  users_function("shop::run()", "src/main.cpp", 31)};
    made.location = 0;
    made.fingerprint = "4567cdef";
    made.coarse_fingerprint = "cdef4567";
    return made;
}

/// A warning.
inline detector::finding a_latent_open() {
    detector::finding made = a_sleep();
    made.kind = blocking_kind::latent;
    made.level = blocking_level::warning;
    made.category = blocking_class::other;
    made.call = "open";
    made.total_ms = made.max_ms = 0;
    made.fingerprint = "89ab0000";
    return made;
}

inline detector::finding a_suppressed_sleep() {
    detector::finding made = a_sleep();
    made.suppressed_by = "class:sleep && fiber:work*";
    return made;
}

/// A finding without any details.
inline detector::finding one_without_place() {
    detector::finding made;
    made.category = blocking_class::other;
    made.call = "openat";
    made.count = 1;
    made.total_ms = 2;
    made.max_ms = 2;
    made.fiber = "#4";
    return made;
}

inline detector::result result_of(std::vector<detector::finding> findings) {
    return {.program = "./server --port 7000", .findings = std::move(findings), .notes = {}, .engine = "trap"};
}

}  // namespace coir::test
