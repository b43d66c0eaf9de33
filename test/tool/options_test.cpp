#include "cli/exit_codes.hpp"
#include "cli/options.hpp"

#include <doctest/doctest.h>

#include <sstream>

using detector::options;
using namespace std::chrono_literals;

namespace {

struct reading {
    options asked;
    std::optional<int> status;
    std::string out;
    std::string errors;
};

reading read(const std::vector<std::string>& arguments) {
    reading made;
    std::ostringstream out;
    std::ostringstream errors;
    made.asked = detector::read_command_line(arguments, made.status, out, errors);
    made.out = out.str();
    made.errors = errors.str();
    return made;
}

}  // namespace

TEST_CASE("options: arguments after -- belong to the program, whatever they are") {
    const reading made = read({"run", "--quiet", "--", "prog", "--quiet", "--", "report", "-o"});
    CHECK_FALSE(made.status);
    CHECK(made.asked.what == detector::command::run);
    CHECK(made.asked.quiet);
    CHECK(made.asked.program == std::vector<std::string>{"prog", "--quiet", "--", "report", "-o"});
}

TEST_CASE("options: the first argument of run that is no option begins the program, with or without --") {
    using words = std::vector<std::string>;
    const auto program = [](const words& arguments) { return read(arguments).asked.program; };
    CHECK(program({"run", "./prog", "-q", "--help", "x"}) == words{"./prog", "-q", "--help", "x"});
    CHECK(program({"run", "-o", "text", "--engine=hooks", "-q", "prog", "-o", "x"}) == words{"prog", "-o", "x"});
    CHECK(program({"run", "report", "x"}) == words{"report", "x"});
    CHECK(program({"run", "prog", "a", "--", "b", "--", "c"}) == words{"prog", "a", "--", "b", "--", "c"});
    CHECK_FALSE(read({"run", "./prog", "-q"}).asked.quiet);
    CHECK(read({"run", "--frobnicate", "./prog"}).status == 64);
    CHECK(read({"run", "--frobnicate", "./prog"}).errors.find("unknown option --frobnicate") != std::string::npos);
}

TEST_CASE("options: run needs a program, the other commands have none") {
    CHECK(read({"run"}).status == 64);
    CHECK(read({"run"}).errors.find("[options] program") != std::string::npos);
    CHECK(read({"report", "file", "--", "prog"}).status == 64);
    CHECK(read({}).status == 64);
    CHECK(read({"frobnicate"}).status == 64);
    CHECK(read({"run", "--frobnicate", "--", "prog"}).status == 64);
}

TEST_CASE("options: the processes of the program are followed unless that is refused") {
    CHECK(read({"run", "--", "prog"}).asked.follow_forks);
    CHECK(read({"run", "--follow-forks", "--", "prog"}).asked.follow_forks);
    CHECK_FALSE(read({"run", "--no-follow-forks", "--", "prog"}).asked.follow_forks);
    CHECK(read({"run", "--help"}).out.find(" --follow-forks") == std::string::npos);
}

TEST_CASE("options: --wait is in seconds, and empty runs are permitted on request only") {
    const reading made = read({"run", "--wait", "2", "--allow-empty", "--", "prog"});
    CHECK(made.asked.wait == 2s);
    CHECK(made.asked.allow_empty);
    CHECK(read({"run", "--", "prog"}).asked.wait == 0s);
    CHECK_FALSE(read({"run", "--", "prog"}).asked.allow_empty);
    CHECK(read({"run", "--wait", "soon", "--", "prog"}).status == 64);
    CHECK(read({"report", "--allow-empty", "file"}).asked.allow_empty);
}

TEST_CASE("options: help and version are not errors") {
    CHECK(read({"--help"}).status == 0);
    CHECK(read({"run", "--help"}).status == 0);
    CHECK(read({"run", "--help"}).out.find("--fail-on") != std::string::npos);
    CHECK(read({"--version"}).status == 0);
    CHECK(read({"--version"}).out.starts_with("blocking-detector "));
}

TEST_CASE("options: -o takes a format and a file, and may be repeated") {
    const reading made = read({"run", "-o", "text", "--output", "sarif:a:b.sarif", "--", "prog"});
    REQUIRE(made.asked.outputs.size() == 2);
    CHECK(made.asked.outputs[0].path.empty());
    CHECK(made.asked.outputs[1].format == "sarif");
    CHECK(made.asked.outputs[1].path == "a:b.sarif");
    CHECK(read({"run", "-o", "pdf", "--", "prog"}).errors.find("'pdf' is not a format; the formats are text, json") !=
          std::string::npos);
    CHECK(read({"run", "-o", "json:", "--", "prog"}).status == 64);
}

TEST_CASE("options: --fail-on and --show take a level, and the kinds of earlier versions are refused with the levels") {
    using enum coir::blocking_level;
    const auto level = [](const char* text) { return read({"run", "--fail-on", text, "--", "prog"}).asked.fail_on; };
    CHECK(options{}.fail_on == error);
    CHECK(level("warning") == warning);
    CHECK(level("note") == note);
    CHECK_FALSE(level("none").has_value());
    for (const char* old : {"blocked", "hog", "latent", "blocked,hog"}) {
        const reading refused = read({"run", "--fail-on", old, "--", "prog"});
        CHECK(refused.status == 64);
        CHECK(refused.errors.find("error (the default), warning, note, or none") != std::string::npos);
    }
    CHECK(read({"run", "--fail-on", "all", "--", "prog"}).errors.find("'all' is not a level") != std::string::npos);
    CHECK(options{}.show == error);
    CHECK(read({"run", "--show", "note", "--", "prog"}).asked.show == note);
    CHECK(read({"run", "--show", "none", "--", "prog"}).status == 64);
}

TEST_CASE("options: durations have units, and a plain number has a default unit") {
    CHECK(detector::duration_in("20us", 1ms) == 20us);
    CHECK(detector::duration_in("1.5s", 1ms) == 1500ms);
    CHECK(detector::duration_in("2min", 1ms) == 120s);
    CHECK(detector::duration_in("7", 1s) == 7s);
    for (const char* wrong : {"", "ms", "-1ms", "1 ms", "1parsec", "1e300s", "nan"}) {
        CHECK_THROWS_AS((void)detector::duration_in(wrong, 1ms), detector::usage_error);
    }
    CHECK(read({"run", "--timeout", "2", "--", "prog"}).asked.timeout == 2s);
    CHECK(read({"run", "--timeout", "0", "--", "prog"}).status == 64);
    CHECK(read({"run", "--stall-threshold", "250", "--", "prog"}).asked.stall_threshold == 250ms);
    CHECK(read({"run", "--stall-threshold", "2h", "--", "prog"}).status == 64);
}

TEST_CASE("options: classes are a list, or all except a list") {
    using enum coir::blocking_class;
    CHECK(detector::classes_in("sleep,dns") == coir::blocking_classes{sleep, dns});
    CHECK(detector::classes_in("-disk").contains(sleep));
    CHECK_FALSE(detector::classes_in("-disk").contains(disk));
    for (const char* wrong : {"", "sleep,", "naps", "sleep,-disk", "-disk,sleep"}) {
        CHECK_THROWS_AS((void)detector::classes_in(wrong), detector::usage_error);
    }
}

TEST_CASE("options: engines, patterns and choices are validated") {
    CHECK(read({"run", "--", "prog"}).asked.engine == "trap");
    CHECK(read({"run", "--engine", "auto", "--", "prog"}).asked.engine == "trap");
    CHECK(read({"run", "--engine", "hooks", "--", "prog"}).asked.engine == "hooks");
    CHECK(read({"run", "--engine", "guess", "--", "prog"}).status == 64);
    CHECK(read({"run", "--owner", "(", "--", "prog"}).errors.find("not a regular expression") != std::string::npos);
    CHECK(read({"run", "--max-findings", "ten", "--", "prog"}).status == 64);
    CHECK(read({"run", "--max-findings", "10", "--", "prog"}).asked.max_findings == 10);
    CHECK(read({"diff", "one"}).status == 64);
}
