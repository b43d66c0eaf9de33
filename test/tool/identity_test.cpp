#include "detect/finding/identity.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

#include <utility>

using coir::detail::finding;
using coir::detail::frame;
using coir::test::a_sleep;
using coir::test::library_function;
using coir::test::scratch_folder;
using coir::test::users_function;

namespace {

/// A source file, and findings in it.
class source {
public:
    explicit source(std::string text) : file_{folder_.with("retry.cpp", std::move(text))} {}

    [[nodiscard]] finding sleep_at(int line, const std::string& function = "shop::retry(int)") const {
        finding made = a_sleep();
        made.stack[1] = users_function(function, file_, line);
        return identified(std::move(made));
    }
    [[nodiscard]] finding identified(finding made) const {
        coir::detail::identity{folder_.path()}.identify(made);
        return made;
    }

private:
    scratch_folder folder_;
    std::string file_;
};

finding identified(finding made) {
    coir::detail::identity{"/no/sources"}.identify(made);
    return made;
}

constexpr const char* two_sleeps = R"(void retry(int n) {
    sleep_for(20ms);
    if (n > 1)
        sleep_for(300ms);
    sleep_for(20ms);
}
)";

}  // namespace

TEST_CASE("identity: moved, reindented and commented code keeps its fingerprint, whatever calls it") {
    const std::string plain = source{two_sleeps}.sleep_at(2).fingerprint;
    CHECK(source{"// more\n\n" + std::string{two_sleeps}}.sleep_at(4).fingerprint == plain);
    CHECK(source{"void retry(int) {\n\t  sleep_for(20ms);  // a moment\n}\n"}.sleep_at(2).fingerprint == plain);
    const source text{two_sleeps};
    finding other = text.sleep_at(2);
    other.stack.insert(other.stack.begin(), library_function("clock_nanosleep"));
    ++other.location;
    other.count = 700;
    other.stack[3].function = "another_caller()";
    other.stack[2].offset += 4096;
    CHECK(text.identified(other).fingerprint == plain);
}

TEST_CASE("identity: another statement of the same function is new, also one with the same text") {
    const source text{two_sleeps};
    CHECK(text.sleep_at(2).fingerprint != text.sleep_at(4).fingerprint);
    CHECK(text.sleep_at(2).fingerprint != text.sleep_at(5).fingerprint);
    CHECK(text.sleep_at(2).coarse_fingerprint == text.sleep_at(5).coarse_fingerprint);
}

TEST_CASE("identity: equal statements of other functions do not count") {
    const std::string plain = source{two_sleeps}.sleep_at(2).fingerprint;
    const std::string before = "void other() {\n    sleep_for(20ms);\n}\n\n";
    CHECK(source{before + two_sleeps}.sleep_at(6).fingerprint == plain);
}

TEST_CASE("identity: each line of a statement gives the same fingerprint") {
    const source text{"int f() {\n    int a = 0;\n    return call(a,\n                \"; {\",\n        a);\n}\n"};
    CHECK(text.sleep_at(3).fingerprint == text.sleep_at(4).fingerprint);
    CHECK(text.sleep_at(3).fingerprint == text.sleep_at(5).fingerprint);
    CHECK(text.sleep_at(2).fingerprint != text.sleep_at(3).fingerprint);
}

TEST_CASE("identity: differs for another call, class, function, template argument or file") {
    const source text{two_sleeps};
    const std::string plain = text.sleep_at(2).fingerprint;
    finding changed = text.sleep_at(2);
    changed.call = "poll";
    CHECK(text.identified(changed).fingerprint != plain);
    changed = text.sleep_at(2);
    changed.category = coir::blocking_class::other;
    CHECK(text.identified(changed).fingerprint != plain);
    CHECK(text.sleep_at(2, "shop::retry_all(int)").fingerprint != plain);
    CHECK(text.sleep_at(2, "cache<int>::get()").fingerprint != text.sleep_at(2, "cache<long>::get()").fingerprint);
    CHECK(text.sleep_at(2, "cache<int>::get()").coarse_fingerprint ==
          text.sleep_at(2, "cache<long>::get()").coarse_fingerprint);
}

TEST_CASE("identity: a lambda is identified by its function, not by its line") {
    const source text{two_sleeps};
    CHECK(text.sleep_at(2, "main::{lambda at retry.cpp:12}::operator()()").fingerprint ==
          text.sleep_at(2, "main::{lambda at retry.cpp:40}::operator()()").fingerprint);
    CHECK(text.sleep_at(2, "main::{lambda at retry.cpp:12}::operator()()").fingerprint !=
          text.sleep_at(2, "run::{lambda at retry.cpp:12}::operator()()").fingerprint);
}

TEST_CASE("identity: without the source both fingerprints are the coarse one") {
    const finding made = identified(a_sleep());
    CHECK(made.fingerprint == made.coarse_fingerprint);
    finding elsewhere = a_sleep();
    elsewhere.stack[1].line = 99;
    CHECK(identified(elsewhere).fingerprint == made.fingerprint);
    finding nameless = a_sleep();
    for (frame& each : nameless.stack) each.function.clear();
    finding other = nameless;
    other.stack[1].offset += 64;
    CHECK(identified(nameless).fingerprint != identified(other).fingerprint);
    finding unknown = a_sleep();
    unknown.stack.clear();
    unknown.location = -1;
    finding of_another = unknown;
    of_another.spawned_at = "src/other.cpp:3";
    CHECK(identified(unknown).fingerprint != identified(of_another).fingerprint);
}
