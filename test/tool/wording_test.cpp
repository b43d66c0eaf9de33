#include "detect/finding/wording.hpp"
#include "render/location.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using namespace coir::test;
using namespace coir::detail;

TEST_CASE("wording: a duration has a suitable unit and precision") {
    CHECK(duration_text(0.346) == "0.35 ms");
    CHECK(duration_text(20.4) == "20 ms");
    CHECK(duration_text(1250) == "1.25 s");
}

TEST_CASE("wording: a short name has no template or function arguments") {
    CHECK(short_name("shop::retry(int)") == "shop::retry()");
    CHECK(short_name("std::vector<shop::offer, std::allocator<shop::offer> >::push_back(shop::offer&&)") ==
          "std::vector<>::push_back()");
    CHECK(short_name("(anonymous namespace)::serve(coir::net::tcp_stream)") == "serve()");
    CHECK(short_name("main::{lambda(int)#1}::operator()(int) const") == "main::{lambda()#1}::operator()() const");
}

TEST_CASE("wording: the name of an operator is kept") {
    CHECK(short_name("shop::operator<(shop::price const&, shop::price const&)") == "shop::operator<()");
    CHECK(short_name("shop::operator<< <char>(std::ostream&)") == "shop::operator<< <>()");
    CHECK(short_name("shop::price::operator->() const") == "shop::price::operator->() const");
    CHECK(short_name("my_operator<int>()") == "my_operator<>()");
}

TEST_CASE("wording: a short name is cut between characters, never within one") {
    CHECK(short_name("abcdef", 3) == "abc...");
    CHECK(short_name("ab\xC3\xA4"
                     "c",
                     3) == "ab...");
}

TEST_CASE("wording: a headline contains the fiber, the duration, the count and the call") {
    CHECK(headline(a_sleep()) ==
          "fiber \"worker\" held its thread 3 times for 60 ms, 25 ms at most, asleep in nanosleep (sleep)");
    CHECK(headline(a_hog()) == "fiber #7 held its thread for 1.25 s, computing");
    CHECK(headline(a_latent_open()) == "fiber \"worker\" called open (other), which can hold its thread");
}

TEST_CASE("wording: a headline says that a call has not returned, and why it never can") {
    finding what = a_sleep();
    what.goes_on = what.waits_for_itself = true;
    CHECK(contains(headline(what), "has held its thread for 25 ms so far, asleep in nanosleep"));
    CHECK(contains(headline(what), "deadlock: a fiber of the same thread holds the lock"));
}

TEST_CASE("wording: a headline is one line, whatever the name of the fiber") {
    finding what = a_sleep();
    what.fiber = "two\r\nlines, \x1b[2J, \xc2\x9b and caf\xe9";
    make_printable(what);
    CHECK(contains(headline(what), "fiber \"two\\x0d\\x0alines, \\x1b[2J, \\x9b and caf\xEF\xBF\xBD\""));
}

TEST_CASE("wording: the remedy fits what the stack shows between the user's line and the system call") {
    finding wait = a_sleep();
    wait.category = coir::blocking_class::lock;
    wait.call = "futex";
    const auto remedy_of = [&](const char* function) {
        wait.stack[0] = library_function(function);
        return remedy(wait);
    };
    CHECK(remedy_of("std::__basic_future<int>::_M_get_result() const") == "use coir::future, or coir::offload");
    CHECK(remedy_of("std::latch::wait() const") == "use coir::latch");
    CHECK(remedy_of("std::barrier<>::arrive_and_wait()") == "use coir::barrier");
    CHECK(remedy_of("std::condition_variable::wait(std::unique_lock<std::mutex>&)") == "use coir::condition_variable");
    CHECK(remedy_of("void std::call_once<void (&)()>(std::once_flag&)") == "use coir::once_flag");
    CHECK(contains(remedy_of("something else"), "coir::mutex"));
    wait.category = coir::blocking_class::process;
    wait.call = "waitpid";
    CHECK(remedy_of("g_spawn_sync") == "use coir::run_process");
    CHECK(remedy_of("QProcess::waitForFinished(int)") == "use coir::run_process");
}

TEST_CASE("wording: a frame is named by its function, or else by its address in the file") {
    CHECK(to_string(users_function("f()", "src/f.cpp", 3)) == "f() at src/f.cpp:3");
    CHECK(to_string(users_function("f()", "src/f.cpp", 0)) == "f() at src/f.cpp");
    CHECK(to_string(library_function("read")) == "read in /lib/libc.so.6");
    CHECK(to_string(library_function("")) == "libc.so.6+0x20");
    CHECK(to_string(frame{}) == "??");
}

TEST_CASE("wording: the nearest line is the user's, then that of other code, of the spawn, of internal frames") {
    finding what = a_sleep();
    what.stack[0].file = "/usr/include/time.h";
    what.stack[0].plumbing = true;
    CHECK(to_string(*nearest_line(what)) == "src/retry.cpp:12");
    what.location = -1;
    what.stack.erase(what.stack.begin() + 1);
    CHECK(to_string(*nearest_line(what)) == "src/main.cpp:31");
    what.stack.pop_back();
    CHECK(to_string(*nearest_line(what)) == "src/main.cpp:30");
    what.spawned_at = "shop::run() (server+0x1b2c0)";
    CHECK(to_string(*nearest_line(what)) == "/usr/include/time.h:1");
    what.stack.clear();
    CHECK_FALSE(nearest_line(what).has_value());
}

TEST_CASE("wording: every finding has a location, as a last resort the program") {
    finding what = one_without_place();
    CHECK(to_string(detector::some_line(what, result_of({}))) == "./server:1");
    what.stack = {library_function("openat")};
    CHECK(to_string(detector::some_line(what, result_of({}))) == "/lib/libc.so.6:1");
}

TEST_CASE("wording: the frames common to all fibers are left out, and only those") {
    finding what = a_sleep();
    what.stack[0].plumbing = true;
    what.stack.push_back({.function = "coir::detail::task_main()", .file = "", .module = "", .plumbing = true});
    CHECK(telling_part(what).size() == 3);
    CHECK(stack_text(what) == "nanosleep in /lib/libc.so.6\nshop::retry(int) at src/retry.cpp:12\n"
                              "shop::run() at src/main.cpp:31\n");
    for (frame& each : what.stack) each.plumbing = true;
    CHECK(telling_part(what).size() == 4);
}

TEST_CASE("wording: the path of a flame graph starts with the outermost frame and ends with the call") {
    finding what = a_sleep();
    const std::vector<std::string> path{"shop::run()", "shop::retry(int)", "nanosleep"};
    CHECK(path_to(what) == path);
    what.stack.erase(what.stack.begin());
    CHECK(path_to(what) == path);
    what.stack.insert(what.stack.begin(), library_function("__nanosleep"));
    CHECK(path_to(what).back() == "__nanosleep");
    CHECK(path_to(a_hog()) == std::vector<std::string>{"shop::run()", "shop::rank()"});
}
