#include "detect/calls/classes.hpp"
#include "render/rules.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

using namespace coir::test;
using namespace detector;

TEST_CASE("rules: each class of blocking has a rule, with a unique id and name") {
    std::set<std::string_view> names;
    for (int each = 0; each <= static_cast<int>(coir::blocking_class::cpu); ++each) {
        const auto category = static_cast<coir::blocking_class>(each);
        const rule& found = rule_for(category);
        CHECK(found.category == category);
        names.insert(found.id);
        names.insert(found.name);
    }
    CHECK(names.size() == 2 * all_rules().size());
}

TEST_CASE("rules: the ids are in order, so that the index of a rule never changes") {
    CHECK(all_rules().front().id == "BD001");
    CHECK(all_rules().back().id == "BD011");
    CHECK(std::ranges::is_sorted(all_rules(), {}, &rule::id));
    for (const rule& each : all_rules()) CHECK(&all_rules()[index_of(each)] == &each);
}

TEST_CASE("rules: a rule is found by its id, name or class, ignoring case") {
    for (const std::string_view name : {"BD003", "bd003", "pipe-tty", "pipe", "PIPE"}) {
        const rule* const found = rule_named(name);
        REQUIRE(found != nullptr);
        CHECK(found->category == coir::blocking_class::pipe);
    }
    CHECK(rule_named("dns") == rule_named("name-resolution"));
    CHECK(rule_named("BD012") == nullptr);
    CHECK(rule_named("") == nullptr);
}

TEST_CASE("rules: an explanation has a description, a remedy and an example") {
    for (const rule& each : all_rules()) {
        const std::string text = explain(each);
        CHECK(text.starts_with(std::string{each.id} + ' ' + std::string{each.name} + ": "));
        for (const std::string_view part : {each.meaning, each.harm, each.remedy, each.before, each.after})
            CHECK_FALSE(part.empty());
        CHECK(contains(each.after, "coir::"));
        CHECK(contains(text, "allow_blocking"));
    }
}

TEST_CASE("rules: an explanation fits into 80 columns, except its code") {
    for (const rule& each : all_rules()) {
        std::string text = explain(each);
        for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
            if (!text.starts_with("    ")) CHECK(end <= 80);
            text.erase(0, end + 1);
        }
    }
}

TEST_CASE("rules: the list has one line per rule, with id, name, class and title") {
    const std::string text = list_rules();
    CHECK(std::ranges::count(text, '\n') == static_cast<std::ptrdiff_t>(all_rules().size()));
    for (const rule& each : all_rules()) {
        CHECK(contains(text, each.id));
        CHECK(contains(text, coir::detail::to_string(each.category)));
        CHECK(contains(text, each.title));
    }
}

TEST_CASE("rules: in Markdown, the examples are fenced C++ blocks") {
    const std::string text = explain_in_markdown(*rule_named("sleep"));
    CHECK(contains(text, "```cpp\nvoid back_off() {\n    std::this_thread::sleep_for(100ms);\n}\n```\n"));
    CHECK(contains(text, "```cpp\nvoid back_off() {\n    coir::this_fiber::sleep_for(100ms);\n}\n```\n"));
}
