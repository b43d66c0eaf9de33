#include "render/text.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::blocking_level;
using coir::test::a_sleep;
using coir::test::scratch_folder;
using detector::result;
using detector::summary_of;
using detector::to_text;

namespace {

result sample() {
    result made;
    made.engine = "trap";
    made.findings = {a_sleep()};
    return made;
}

}  // namespace

TEST_CASE("text: a finding starts with the user's line, the fiber and the remedy") {
    const std::string text = to_text(sample(), {});
    CHECK(text.starts_with("src/retry.cpp:12: fiber \"worker\" held its thread"));
    CHECK(text.find("instead: use coir::this_fiber::sleep_for") < text.find("nanosleep in "));
    CHECK(text.find("    > shop::retry(int) at src/retry.cpp:12\n") != std::string::npos);
    CHECK(text.find("spawned at src/main.cpp:30") != std::string::npos);
}

TEST_CASE("text: the source line is shown if the file is available") {
    const scratch_folder folder;
    folder.with("retry.cpp", "first\n\tsleep_for(1s);  // second\n");
    result made = sample();
    made.findings[0].stack[1].file = "retry.cpp";
    made.findings[0].stack[1].line = 2;
    const detector::text_style style{.source_folder = folder.path()};
    CHECK(to_text(made, style).find("    | sleep_for(1s);  // second\n") != std::string::npos);
    made.findings[0].stack[1].line = 9;
    CHECK(to_text(made, style).find("    | ") == std::string::npos);
}

TEST_CASE("text: colours are used only if requested") {
    CHECK(to_text(sample(), {}).find('\x1b') == std::string::npos);
    CHECK(to_text(sample(), {.colours = true, .source_folder = {}}).find('\x1b') != std::string::npos);
}

TEST_CASE("text: errors are shown, and the others are counted, with the option that shows them") {
    result made = sample();
    made.findings.push_back(coir::test::a_latent_open());
    made.findings.push_back(a_sleep());
    made.findings[1].stack[1].file = "src/warning.cpp";
    made.findings[2].suppressed_by = "class:sleep";
    CHECK(to_text(made, {}).find("src/warning.cpp") == std::string::npos);
    CHECK(to_text(made, {.show = blocking_level::warning, .source_folder = {}})
              .find("src/warning.cpp:12: warning: fiber") != std::string::npos);
    CHECK(summary_of(made) == "blocking-detector: 1 error; 1 warning: --show warning, 1 suppressed; engine trap");
    made.findings[0].level = blocking_level::note;
    CHECK(summary_of(made).find("no fiber held its thread; 1 warning, 1 note: --show warning") != std::string::npos);
    CHECK(summary_of(made, blocking_level::warning).find("1 warning; 1 note: --show note") != std::string::npos);
    CHECK(summary_of(made, blocking_level::note).find("1 warning, 1 note, 1 suppressed") != std::string::npos);
}

TEST_CASE("text: stacks that differ below the user's line are counted") {
    result made = sample();
    made.findings[0].stacks = 9;
    CHECK(to_text(made, {}).find("and 8 more stacks\n") != std::string::npos);
}

TEST_CASE("text: a control character never reaches the terminal") {
    result made = sample();
    made.findings[0].fiber = "\x1b[2J";
    made.findings[0].stack[1].function = "\x1b]0;title\x07";
    made.findings[0].stack[1].file = "a\nb.cpp";
    made.findings[0].spawned_at = "\x9b";
    make_printable(made.findings[0]);
    const std::string text = to_text(made, {});
    CHECK(text.find_first_of("\x1b\x07\x9b") == std::string::npos);
    CHECK(text.starts_with("a\\x0ab.cpp:12: fiber \"\\x1b[2J\""));
}

TEST_CASE("text: the summary of a run without findings, and of one without detection") {
    result made;
    made.engine = "hooks";
    CHECK(summary_of(made) == "blocking-detector: no fiber held its thread; engine hooks");
    CHECK(summary_of({}).find("no run of coir was recorded") != std::string::npos);
}

TEST_CASE("text: a stack without names starts with the address in the file") {
    result made = sample();
    made.findings[0].stack[1] = coir::test::users_function("", "", 0);
    CHECK(to_text(made, {}).starts_with("server+0x10: fiber"));
    made.findings[0].stack.clear();
    made.findings[0].location = -1;
    CHECK(to_text(made, {}).starts_with("src/main.cpp:30: fiber"));
}
