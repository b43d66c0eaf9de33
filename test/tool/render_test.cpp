#include "render/markup.hpp"
#include "render/render.hpp"
#include "tool/run_tool.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace coir::test;
using namespace detector;
using nlohmann::json;

namespace {

/// Whether every opened element is closed, in the right order. `void_elements` need no end tag.
bool is_balanced(std::string_view text, const std::vector<std::string_view>& void_elements = {}) {
    std::vector<std::string_view> open;
    for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
        const std::string_view tag = text.substr(at + 1, text.find('>', at) - at - 1);
        if (tag.starts_with('?') || tag.starts_with('!') || tag.ends_with('/')) continue;
        const bool ends = tag.starts_with('/');
        const std::string_view name = tag.substr(ends ? 1 : 0, tag.find_first_of(" \n") - (ends ? 1 : 0));
        if (std::ranges::find(void_elements, name) != void_elements.end()) continue;
        if (!ends) {
            open.push_back(name);
            continue;
        }
        if (open.empty() || open.back() != name) return false;
        open.pop_back();
    }
    return open.empty();
}

bool is_balanced_html(std::string page) {
    // A script is not markup.
    const std::size_t script = page.find("<script>");
    page.erase(script, page.find("</script>", script) - script);
    page.erase(page.find("</script>"), std::string_view{"</script>"}.size());
    return is_balanced(page, {"meta", "input", "br"});
}

std::string junit_of(const finding& what) { return to_junit(result_of({what})); }
std::string github_of(const finding& what) { return to_github(result_of({what})); }
std::string folded_of(const finding& what) { return to_folded(result_of({what})); }

json gitlab_of(std::vector<finding> findings) { return json::parse(to_gitlab(result_of(std::move(findings)))); }

finding one_with_every_special_character() {
    finding what = a_sleep();
    what.fiber = "<b>&\"'\x01\xFF\xEF\xBF\xBF</script>";
    what.stack[1].function = "shop::operator<(int, \"]]>\")";
    what.stack[1].file = "src/a<b>&c.cpp";
    return what;
}

/// A report with an entry of each kind.
std::string every_junit() {
    result what = result_of({a_sleep(), a_hog(), a_latent_open(), a_suppressed_sleep(), one_without_place(),
                             one_with_every_special_character()});
    what.notes = {"a note"};
    return to_junit(what);
}

/// Each start tag of an XML text, with the names of its attributes.
std::vector<std::pair<std::string_view, std::vector<std::string_view>>> attributes_in(std::string_view text) {
    std::vector<std::pair<std::string_view, std::vector<std::string_view>>> found;
    for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
        if (text[at + 1] == '/' || text[at + 1] == '?') continue;
        const std::string_view tag = text.substr(at + 1, text.find('>', at) - at - 1);
        auto& [element, attributes] = found.emplace_back(tag.substr(0, tag.find_first_of(" /")), 0);
        for (std::size_t value = tag.find("=\""); value != tag.npos;
             value = tag.find("=\"", tag.find('"', value + 2))) {
            const std::size_t space = tag.rfind(' ', value);
            attributes.push_back(tag.substr(space + 1, value - space - 1));
        }
    }
    return found;
}

bool has_xmllint() { return std::system("xmllint --version 2>/dev/null") == 0; }

}  // namespace

TEST_CASE("markup: special characters of XML and HTML are escaped") {
    CHECK(escaped("<a href=\"x\">'&'</a>") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    CHECK(escaped("line\n\ttab\r") == "line\n\ttab&#13;");
}

TEST_CASE("markup: characters that XML forbids, and invalid bytes, are replaced") {
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    CHECK(escaped("\x01") == replacement);
    CHECK(escaped("\x1B[31m") == std::string{replacement} + "[31m");
    CHECK(escaped("\xEF\xBF\xBE") == replacement);
    CHECK(escaped("\xEF\xBF\xBF") == replacement);
    CHECK(escaped("\xFF") == replacement);
    CHECK(escaped("\xEF\xBC\xA1\xC3\xA4") == "\xEF\xBC\xA1\xC3\xA4");
}

TEST_CASE("junit: a program that never blocks passes one test") {
    const std::string text = to_junit(result_of({}));
    CHECK(is_balanced(text));
    CHECK(contains(text, "tests=\"1\" failures=\"0\" errors=\"0\" time=\"0.000\" skipped=\"0\""));
    CHECK(contains(text, "<testcase name=\"no fiber holds its thread\""));
}

TEST_CASE("junit: a program without detection passes no test") {
    const std::string text = to_junit(result{});
    CHECK(is_balanced(text));
    CHECK(contains(text, "tests=\"1\" failures=\"0\" errors=\"0\" time=\"0.000\" skipped=\"1\""));
    CHECK(contains(text, "<skipped message=\"no run of coir was recorded\"/>"));
}

TEST_CASE("junit: a finding is a failure with its rule, its headline and its stack") {
    const std::string text = junit_of(a_sleep());
    CHECK(is_balanced(text));
    CHECK(contains(text, "tests=\"1\" failures=\"1\""));
    CHECK(contains(text, "name=\"nanosleep in shop::retry() at src/retry.cpp:12\" classname=\"blocking.sleep\""));
    CHECK(contains(text, "classname=\"blocking.sleep\" time=\"0.060\""));
    CHECK(contains(text, "<failure type=\"BD001\" message=\"fiber &quot;worker&quot; held its thread"));
    CHECK(contains(text, "\nshop::retry(int) at src/retry.cpp:12\nshop::run() at src/main.cpp:31\n</failure>"));
}

TEST_CASE("junit: a suppressed finding is skipped, and a warning passes") {
    const std::string text = to_junit(result_of({a_latent_open(), a_suppressed_sleep()}));
    CHECK(is_balanced(text));
    CHECK(contains(text, "tests=\"2\" failures=\"0\" errors=\"0\" time=\"0.060\" skipped=\"1\""));
    CHECK(contains(text, "<skipped message=\"suppressed by class:sleep &amp;&amp; fiber:work*\"/>"));
    CHECK(contains(text, "<system-out>fiber &quot;worker&quot; called open (other)"));
}

TEST_CASE("junit: names of fibers, functions and files cannot break the XML") {
    const std::string text = junit_of(one_with_every_special_character());
    CHECK(is_balanced(text));
    CHECK(std::ranges::none_of(text, [](char each) { return static_cast<unsigned char>(each) < ' ' && each != '\n'; }));
    CHECK(contains(text, "&lt;b&gt;&amp;&quot;"));
    CHECK(contains(text, "]]&gt;"));
}

TEST_CASE("junit: the elements and attributes are those that all readers accept, Jenkins' schema included") {
    const std::map<std::string_view, std::vector<std::string_view>> allowed{
        {"testsuites", {"name", "tests", "failures", "errors", "time"}},
        {"testsuite", {"name", "tests", "failures", "errors", "time", "skipped"}},
        {"testcase", {"name", "classname", "time"}},
        {"failure", {"type", "message"}},
        {"skipped", {"message"}},
        {"system-out", {}},
    };
    for (const std::string& text : {every_junit(), to_junit(result{})}) {
        for (const auto& [element, attributes] : attributes_in(text)) {
            REQUIRE(allowed.contains(element));
            for (const std::string_view each : attributes)
                CHECK_MESSAGE(std::ranges::find(allowed.at(element), each) != allowed.at(element).end(), each);
        }
    }
}

TEST_CASE("junit: the report is valid by the schema" * doctest::skip(!has_xmllint())) {
    const scratch_folder folder;
    for (const std::string& text : {every_junit(), to_junit(result{}), to_junit(result_of({}))}) {
        const std::string file = folder.with("report.xml", text);
        const std::string command = "xmllint --noout --schema " JUNIT_SCHEMA " " + file + " 2>" + folder.at("said");
        CHECK_MESSAGE(std::system(command.c_str()) == 0, content_of(folder.at("said")));
    }
}

TEST_CASE("junit: a finding without a location has a name and no file") {
    const std::string text = junit_of(one_without_place());
    CHECK(contains(text, "<testcase name=\"openat\" classname=\"blocking.other\" time="));
}

TEST_CASE("junit: notes are the output of the suite") {
    result what = result_of({});
    what.notes = {"1 & 2"};
    CHECK(contains(to_junit(what), "<system-out>1 &amp; 2\n</system-out>"));
}

TEST_CASE("github: a finding annotates the user's line as an error, with its rule as the title") {
    CHECK(github_of(a_sleep()).starts_with(
        "::error file=src/retry.cpp,line=12,title=BD001 sleep::fiber \"worker\" held"));
    CHECK(github_of(a_hog()).starts_with("::error file=src/rank.cpp,line=97,title=BD009 cpu-hog::fiber #7 held"));
    CHECK(github_of(a_latent_open()).starts_with("::warning file="));
}

TEST_CASE("github: a command is one line that contains the stack") {
    const std::string text = github_of(a_sleep());
    CHECK(std::ranges::count(text, '\n') == 1);
    CHECK(contains(text, "%0A%0Ananosleep in /lib/libc.so.6%0Ashop::retry(int) at src/retry.cpp:12%0A"));
}

TEST_CASE("github: characters that end a property or a message are escaped, and no others") {
    finding what = a_sleep();
    what.stack[1].file = "src/100%,a:b.cpp";
    what.fiber = "50%: a, b";
    const std::string text = github_of(what);
    CHECK(text.starts_with("::error file=src/100%25%2Ca%3Ab.cpp,line=12,"));
    CHECK(contains(text, "::fiber \"50%25: a, b\" held"));
}

TEST_CASE("github, folded: no control character reaches a terminal") {
    finding what = a_sleep();
    what.stack[1].function = "f\x1b[2J";
    what.stack[1].file = "a\x1b[31m\r.cpp";
    make_printable(what);
    for (const std::string& text : {github_of(what), folded_of(what)}) {
        CHECK(std::ranges::count(text, '\n') == 1);
        CHECK(std::ranges::none_of(text, [](char each) { return each == '\x1b' || each == '\r'; }));
    }
}

TEST_CASE("github: suppressed findings are left out, and without findings there is no output") {
    CHECK(github_of(a_suppressed_sleep()).empty());
    CHECK(to_github(result_of({})).empty());
}

TEST_CASE("github: a finding without a location annotates no file") {
    CHECK(github_of(one_without_place()).starts_with("::error title=BD011 other::"));
}

TEST_CASE("gitlab: an entry has all required members") {
    const json entries = gitlab_of({a_sleep()});
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].at("description").get<std::string>().starts_with("fiber \"worker\" held its thread"));
    CHECK(entries[0].at("check_name") == "BD001");
    CHECK(entries[0].at("fingerprint") == "0123abcd");
    CHECK(entries[0].at("severity") == "major");
    CHECK(entries[0].at("location") == json::parse(R"({"path": "src/retry.cpp", "lines": {"begin": 12}})"));
}

TEST_CASE("gitlab: the severity depends on the level of the finding") {
    finding hopeless = a_sleep();
    hopeless.waits_for_itself = true;
    const json entries = gitlab_of({a_hog(), a_latent_open(), hopeless});
    CHECK(entries[0].at("severity") == "major");
    CHECK(entries[1].at("severity") == "minor");
    CHECK(entries[2].at("severity") == "blocker");
}

TEST_CASE("gitlab: no two entries have the same fingerprint, since GitLab would drop one") {
    const json entries = gitlab_of({a_sleep(), a_sleep(), a_hog()});
    CHECK(entries[0].at("fingerprint") == "0123abcd");
    CHECK(entries[1].at("fingerprint") == "0123abcd-2");
    CHECK(entries[2].at("fingerprint") == "4567cdef");
}

TEST_CASE("gitlab: a path is relative to the repository") {
    finding what = a_sleep();
    what.stack[1].file = "./src/../lib/a.cpp";
    CHECK(gitlab_of({what})[0].at("location").at("path") == "lib/a.cpp");
}

TEST_CASE("gitlab: suppressed findings are left out, and without findings the list is empty") {
    CHECK(gitlab_of({a_suppressed_sleep()}) == json::array());
    CHECK(gitlab_of({}) == json::array());
}

TEST_CASE("gitlab: the location of a finding without one is the program") {
    CHECK(gitlab_of({one_without_place()})[0].at("location") ==
          json::parse(R"({"path": "server", "lines": {"begin": 1}})"));
}

TEST_CASE("folded: a stack is one line, outermost frame first, with its microseconds") {
    CHECK(folded_of(a_sleep()) == "shop::run();shop::retry(int);nanosleep 60000\n");
}

TEST_CASE("folded: separators of frames and lines are replaced in names") {
    finding what = a_sleep();
    what.stack[1].function = "f(a;b)g";
    CHECK(folded_of(what) == "shop::run();f(a:b)g;nanosleep 60000\n");
}

TEST_CASE("folded: findings of zero duration and suppressed ones have no line") {
    CHECK(to_folded(result_of({a_latent_open(), a_suppressed_sleep()})).empty());
    CHECK(to_folded(result_of({})).empty());
}

TEST_CASE("folded: a finding without a stack has a line") {
    CHECK(folded_of(one_without_place()) == "unknown stack;openat 2000\n");
}

TEST_CASE("html: the page is self-contained") {
    const std::string page = to_html(result_of({a_hog(), a_sleep()}));
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(is_balanced_html(page));
    CHECK_FALSE(contains(page, "src="));
    CHECK_FALSE(contains(page, "href="));
    CHECK_FALSE(contains(page, "url("));
    CHECK(contains(page, "default-src 'none'"));
}

TEST_CASE("html: a finding shows its line, its duration, the remedy, and the stack with the user's frame marked") {
    const std::string page = to_html(result_of({a_sleep()}));
    CHECK(contains(page, "<strong>src/retry.cpp:12</strong>"));
    CHECK(contains(page, "<td class=\"number\" data-column=\"Total\">60 ms</td>"));
    CHECK(contains(page, "use coir::this_fiber::sleep_for"));
    CHECK(contains(page, "<li class=\"mine\">shop::retry(int) at src/retry.cpp:12</li>"));
    CHECK(contains(page, "<li>shop::run() at src/main.cpp:31</li>"));
}

TEST_CASE("html: a finding shows its source line") {
    const scratch_folder folder;
    folder.with("retry.cpp", "one\n    sleep_for(delay<1>);\n");
    finding what = a_sleep();
    what.stack[1].file = "retry.cpp";
    what.stack[1].line = 2;
    const std::string page = to_html(result_of({what}), folder.path());
    CHECK(is_balanced_html(page));
    CHECK(contains(page, "<code class=\"source\">sleep_for(delay&lt;1&gt;);</code>"));
    CHECK_FALSE(contains(to_html(result_of({a_sleep()}), folder.path()), "<code class=\"source\">"));
}

TEST_CASE("html: stacks that lead to the same line are one row, which has their number") {
    finding what = a_sleep();
    what.stacks = 9;
    CHECK(contains(to_html(result_of({what})), "and 8 more stacks that lead to this line"));
    CHECK_FALSE(contains(to_html(result_of({a_sleep()})), "more stack"));
}

TEST_CASE("html: on a narrow screen a row is a card, whose numbers have the names of their columns") {
    const std::string page = to_html(result_of({a_sleep()}));
    CHECK(contains(page, "name=\"viewport\""));
    CHECK(contains(page, "@media (max-width: 600px)"));
    for (const char* column : {"Total", "Times", "Longest"})
        CHECK(contains(page, "<td class=\"number\" data-column=\"" + std::string{column} + "\">"));
}

TEST_CASE("html: the frames common to all fibers are present, but collapsed") {
    finding what = a_sleep();
    what.stack.push_back({.function = "coir::detail::task_main()", .file = "", .module = "", .plumbing = true});
    const std::string page = to_html(result_of({what}));
    CHECK(is_balanced_html(page));
    CHECK(contains(page, "<summary>and 1 more, in coir and the C++ library</summary><ol class=\"stack\" start=\"4\">"));
    CHECK(contains(page, "<li class=\"plumbing\">coir::detail::task_main()</li>"));
}

TEST_CASE("html: without the script, widths in the flame graph show durations") {
    finding quarter = a_hog();
    quarter.total_ms = 20;
    const std::string page = to_html(result_of({a_sleep(), quarter}));
    CHECK(contains(page, "title=\"shop::run(): 80 ms\""));
    CHECK(contains(page, "width:75.000%"));
    CHECK(contains(page, "title=\"shop::rank(): 20 ms\""));
    CHECK(contains(page, "width:25.000%"));
}

TEST_CASE("html: suppressed findings and warnings are in the table, but not in the flame graph") {
    const std::string page = to_html(result_of({a_latent_open(), a_suppressed_sleep()}));
    CHECK(contains(page, "<tr class=\"warning\">"));
    CHECK(contains(page, "<tr class=\"suppressed\">"));
    CHECK(contains(page, "<code>class:sleep &amp;&amp; fiber:work*</code>"));
    CHECK_FALSE(contains(page, "<div class=\"flame\">"));
}

TEST_CASE("html: names of fibers, functions and files cannot break the page") {
    const std::string page = to_html(result_of({one_with_every_special_character()}));
    CHECK(is_balanced_html(page));
    CHECK_FALSE(contains(page, "<b>"));
    CHECK(contains(page, "shop::operator&lt;"));
}

TEST_CASE("html: for a program that never blocks, the page says so") {
    const std::string page = to_html(result_of({}));
    CHECK(is_balanced_html(page));
    CHECK(contains(page, "No fiber held its thread."));
    CHECK_FALSE(contains(page, "<table>"));
}

TEST_CASE("html: without detection, the page does not say that nothing blocks") {
    const std::string page = to_html(result{});
    CHECK(contains(page, "No run of coir was recorded."));
    CHECK_FALSE(contains(page, "No fiber held its thread."));
}

TEST_CASE("html: the summary distinguishes errors, warnings and suppressed findings") {
    const std::string page = to_html(result_of({a_hog(), a_sleep(), a_latent_open(), a_suppressed_sleep()}));
    CHECK(contains(
        page,
        "2 errors: fibers held their thread, or could have, for 1.31 s in total. 1 warning. 1 finding is suppressed."));
}

TEST_CASE("html: a finding without location and stack is shown with the known data") {
    const std::string page = to_html(result_of({one_without_place()}));
    CHECK(is_balanced_html(page));
    CHECK(contains(page, "location unknown"));
    CHECK(contains(page, "The stack is unknown."));
}
