#include "read/users_code.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::blocking_class;
using coir::test::library_function;
using coir::test::users_function;
using detector::finding;
using detector::frame;

namespace {

frame plumbing() {
    frame made = users_function("coir::detail::run()", "/coir/lib/run.cpp", 4);
    made.plumbing = true;
    return made;
}

int location_of(std::vector<frame> stack, const detector::users_code& code = {}) {
    finding made;
    made.stack = std::move(stack);
    locate(code, made);
    return made.location;
}

finding named(std::vector<frame> stack) {
    finding made;
    made.category = blocking_class::poll;
    made.call = "poll";
    made.stack = std::move(stack);
    name_by_stack(made);
    return made;
}

}  // namespace

TEST_CASE("users_code: the location is the innermost function with source code that is not internal") {
    CHECK(location_of({library_function("nanosleep"), plumbing(), users_function("f()", "f.cpp", 1),
                       users_function("g()", "g.cpp", 1)}) == 2);
    CHECK(location_of({}) == -1);
    CHECK(location_of({plumbing()}) == -1);
}

TEST_CASE("users_code: system libraries do not count as user code, even with debug information") {
    frame libc = library_function("nanosleep");
    libc.file = "../sysdeps/nanosleep.c";
    libc.line = 25;
    CHECK(location_of({libc, users_function("f()", "f.cpp", 1)}) == 1);
    finding made;
    made.stack = {libc, users_function("f()", "f.cpp", 1)};
    leave_out_foreign_sources(made);
    CHECK(made.stack[0].file.empty());
    CHECK(made.stack[0].line == 0);
    CHECK(made.stack[1].file == "f.cpp");
}

TEST_CASE("users_code: without debug information the program precedes the system libraries") {
    frame nameless = users_function("", "", 0);
    CHECK(location_of({library_function("nanosleep"), nameless}) == 1);
    CHECK(location_of({library_function("nanosleep")}) == 0);
}

TEST_CASE("users_code: --owner selects the user code by function, file or module") {
    const std::vector<frame> stack{users_function("lib::read()", "third_party/lib.cpp", 1),
                                   users_function("app::load()", "src/load.cpp", 2), library_function("start")};
    CHECK(location_of(stack, {.owner = detector::pattern{"^app::"}, .ignored = {}}) == 1);
    CHECK(location_of(stack, {.owner = detector::pattern{"^src/"}, .ignored = {}}) == 1);
    CHECK(location_of(stack, {.owner = detector::pattern{"libc"}, .ignored = {}}) == 2);
    CHECK(location_of(stack, {.owner = detector::pattern{"matches nothing"}, .ignored = {}}) == 0);
}

TEST_CASE("users_code: ignored frames are removed from the stack") {
    finding made;
    made.stack = {users_function("lib::read()", "lib.cpp", 1), users_function("app::load()", "load.cpp", 2)};
    leave_out_ignored({.owner = {}, .ignored = detector::pattern{"^lib::"}}, made);
    REQUIRE(made.stack.size() == 1);
    CHECK(made.stack[0].function == "app::load()");
}

TEST_CASE(
    "users_code: internal calls of getaddrinfo and system are attributed to these, whatever their internal names") {
    for (const char* name : {"getaddrinfo", "__interceptor_getaddrinfo", "__GI_getaddrinfo"}) {
        const finding made = named({library_function("poll"), library_function("gethostbyname2_r"),
                                    library_function(name), users_function("f()", "f.cpp", 1)});
        CHECK(made.category == blocking_class::dns);
        CHECK(made.call == "getaddrinfo");
        REQUIRE(made.stack.size() == 2);
        CHECK(made.stack[0].function == name);
    }
    CHECK(named({library_function("wait4"), library_function("do_system"), library_function("system")}).call ==
          "system");
    CHECK(named({library_function("wait4"), library_function("do_system")}).category == blocking_class::process);
    CHECK(named({library_function("poll"), users_function("system(int)", "f.cpp", 1)}).call == "poll");
}
