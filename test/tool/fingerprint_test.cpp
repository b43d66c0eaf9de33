#include "read/fingerprint.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::test::a_sleep;
using coir::test::library_function;
using coir::test::users_function;
using detector::finding;
using detector::fingerprint_of;

TEST_CASE("fingerprint: is independent of lines, files, counts, template arguments and internals of libraries") {
    const finding one = a_sleep();
    finding other = a_sleep();
    other.stack.insert(other.stack.begin(), library_function("clock_nanosleep"));
    ++other.location;
    other.count = 700;
    other.stack[2].line += 10;
    other.stack[2].file = "/elsewhere/retry.cpp";
    other.stack[2].offset += 4096;
    CHECK(fingerprint_of(one) == fingerprint_of(other));

    finding with_template = a_sleep();
    with_template.stack[1].function = "shop::cache<int, 3>::refresh()";
    finding with_another = a_sleep();
    with_another.stack[1].function = "shop::cache<std::vector<int>, 4>::refresh()";
    CHECK(fingerprint_of(with_template) == fingerprint_of(with_another));
}

TEST_CASE("fingerprint: differs for another call, class, function or caller") {
    const std::string plain = fingerprint_of(a_sleep());
    finding changed = a_sleep();
    changed.call = "usleep";
    CHECK(fingerprint_of(changed) != plain);
    changed = a_sleep();
    changed.category = coir::blocking_class::other;
    CHECK(fingerprint_of(changed) != plain);
    changed = a_sleep();
    changed.stack[1].function = "shop::retry_all(int)";
    CHECK(fingerprint_of(changed) != plain);
    changed = a_sleep();
    changed.stack[2].function = "shop::stop()";
    CHECK(fingerprint_of(changed) != plain);
}

TEST_CASE("fingerprint: internal frames between the user's functions do not count") {
    finding changed = a_sleep();
    detector::frame between = library_function("std::invoke(int)");
    between.plumbing = true;
    changed.stack.insert(changed.stack.begin() + 2, between);
    CHECK(fingerprint_of(changed) == fingerprint_of(a_sleep()));
}

TEST_CASE("fingerprint: inlined lambdas are distinguished by the function that contains them") {
    const auto lambda_in = [](const char* function) {
        finding made = a_sleep();
        made.stack = {users_function("operator()", "src/main.cpp", 3), users_function(function, "spawn.hpp", 64)};
        made.stack[1].plumbing = true;
        made.location = 0;
        return fingerprint_of(made);
    };
    CHECK(lambda_in("closure<main::{lambda()#1}>::run()") != lambda_in("closure<main::{lambda()#2}>::run()"));
}

TEST_CASE("fingerprint: a location without names uses its address in the file") {
    finding nameless = a_sleep();
    for (detector::frame& each : nameless.stack) each.function.clear();
    finding elsewhere = nameless;
    elsewhere.stack[1].offset += 64;
    CHECK(fingerprint_of(nameless) != fingerprint_of(elsewhere));
    finding unknown = a_sleep();
    unknown.stack.clear();
    unknown.location = -1;
    finding of_another = unknown;
    of_another.spawned_at = "src/other.cpp:3";
    CHECK(fingerprint_of(unknown) != fingerprint_of(of_another));
}
