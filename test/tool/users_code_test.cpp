#include "detect/finding/users_code.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::blocking_class;
using coir::detail::finding;
using coir::detail::frame;
using coir::detail::users_code;
using coir::test::library_function;
using coir::test::users_function;

namespace {

frame plumbing() {
    frame made = users_function("coir::detail::run()", "/coir/lib/run.cpp", 4);
    made.plumbing = true;
    return made;
}

int location_of(std::vector<frame> stack, const users_code& code = {}) {
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
    find_users_frame({}, made);
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
    find_users_frame({}, made);
    CHECK(made.stack[0].file.empty());
    CHECK(made.stack[0].line == 0);
    CHECK(made.stack[1].file == "f.cpp");
}

TEST_CASE("users_code: without debug information the program precedes the system libraries") {
    frame nameless = users_function("", "", 0);
    CHECK(location_of({library_function("nanosleep"), nameless}) == 1);
    CHECK(location_of({library_function("nanosleep")}) == 0);
}

TEST_CASE("users_code: code whose source is under the source root comes first, then code whose source exists") {
    const coir::test::scratch_folder mine;
    const coir::test::scratch_folder elsewhere;
    const frame own = users_function("app::load()", mine.with("load.cpp", "load();\n"), 1);
    const frame vendored = users_function("client::get()", elsewhere.with("client.cpp", "get();\n"), 1);
    const frame foreign = users_function("std::sys::sleep", "/rustc/9fc6b431/library/std/src/sys/sleep.rs", 8);
    CHECK(location_of({foreign, vendored, own}, {.source_root = mine.path()}) == 2);
    CHECK(location_of({foreign, vendored}, {.source_root = mine.path()}) == 1);
    CHECK(location_of({foreign}, {.source_root = mine.path()}) == 0);
    const frame relative = users_function("app::load()", "load.cpp", 1);
    CHECK(location_of({vendored, relative}, {.source_root = mine.path()}) == 1);
}

TEST_CASE("users_code: --owner selects the user code by function, file or module") {
    const std::vector<frame> stack{users_function("lib::read()", "third_party/lib.cpp", 1),
                                   users_function("app::load()", "src/load.cpp", 2), library_function("start")};
    const auto in_function = [](std::string text) {
        return [text](const frame& each) { return each.function.find(text) != std::string::npos; };
    };
    CHECK(location_of(stack, {.source_root = {}, .owner = in_function("app::")}) == 1);
    CHECK(location_of(stack, {.source_root = {}, .owner = in_function("start")}) == 2);
    CHECK(location_of(stack, {.source_root = {}, .owner = in_function("matches nothing")}) == 0);
}

TEST_CASE("users_code: ignored frames are removed from the stack") {
    finding made;
    made.stack = {users_function("lib::read()", "lib.cpp", 1), users_function("app::load()", "load.cpp", 2)};
    find_users_frame({.source_root = {}, .ignored = [](const frame& each) { return each.file == "lib.cpp"; }}, made);
    REQUIRE(made.stack.size() == 1);
    CHECK(made.stack[0].function == "app::load()");
}

TEST_CASE("users_code: a function that calls back is not the name of what the user's code inside it does") {
    const finding made = named({library_function("recv"), users_function("load()", "f.cpp", 1),
                                library_function("pthread_once"), users_function("g()", "f.cpp", 9)});
    CHECK(made.call == "poll");
}

TEST_CASE("users_code: locks within the allocator are notes, whichever allocator it is") {
    for (const char* name : {"malloc", "__libc_malloc", "__GI___libc_malloc", "free", "operator new(unsigned long)",
                             "je_malloc", "mi_free", "tcmalloc::CentralFreeList::RemoveRange(void**, void**, int)"}) {
        finding made;
        made.category = blocking_class::lock;
        made.call = "futex";
        made.stack = {library_function("__lll_lock_wait_private"), library_function(name),
                      users_function("f()", "f.cpp", 1)};
        find_users_frame({}, made);
        CHECK(made.rule == coir::detail::level_rule::note);
        made = {};
        made.category = blocking_class::lock;
        made.call = "futex";
        made.stack = {library_function("__lll_lock_wait"), users_function("f()", "f.cpp", 1), library_function(name)};
        find_users_frame({}, made);
        CHECK(made.rule == coir::detail::level_rule::by_call);
        CHECK(made.call == "pthread_mutex_lock");
    }
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
