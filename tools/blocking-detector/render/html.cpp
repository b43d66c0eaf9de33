#include "cli/version.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"
#include "render/flame_graph.hpp"
#include "render/html_assets.hpp"
#include "render/location.hpp"
#include "render/markup.hpp"
#include "render/render.hpp"
#include "render/rules.hpp"

#include <algorithm>
#include <iterator>

namespace detector {

using namespace coir::detail;

namespace {

std::string element(std::string_view name, std::string_view attributes, std::string_view inner) {
    std::string text = '<' + std::string{name};
    if (!attributes.empty()) text.append(" ").append(attributes);
    return text.append(">").append(inner).append("</").append(name).append(">");
}

std::string css_class(std::string_view name) { return "class=\"" + std::string{name} + '"'; }

std::string frames_of(const finding& what, std::size_t from, std::size_t to) {
    std::string lines;
    for (std::size_t i = from; i < to; ++i) {
        const frame& each = what.stack[i];
        const std::string attributes = &each == users_frame(what) ? css_class("mine")
                                       : each.plumbing            ? css_class("plumbing")
                                                                  : "";
        lines += element("li", attributes, escaped(to_string(each))) + '\n';
    }
    return element("ol", css_class("stack") + " start=\"" + std::to_string(from + 1) + '"', lines);
}

std::string stack_of(const finding& what) {
    const std::size_t all = what.stack.size();
    if (all == 0) return element("p", css_class("quiet"), "The stack is unknown.");
    const std::size_t telling = telling_part(what).size();
    const std::string text = frames_of(what, 0, telling);
    if (telling == all) return text;
    const std::string more = "and " + std::to_string(all - telling) + " more, in coir and the C++ library";
    return text + element("details", css_class("quiet"), element("summary", "", more) + frames_of(what, telling, all));
}

/// The visible line of a finding that is not expanded.
std::string location_of(const finding& what) {
    const frame* users = users_frame(what);
    const auto line = nearest_line(what);
    const std::string function = users == nullptr ? "" : short_name(function_or_offset(*users));
    if (!line) return element("strong", "", function.empty() ? "location unknown" : escaped(function));
    return element("strong", "", escaped(to_string(*line))) + ' ' +
           element("code", css_class("quiet"), escaped(function));
}

/// The source line of the finding, if the file can be read.
std::string source_of(const finding& what, const std::string& source_folder) {
    const frame* users = users_frame(what);
    const std::string line = users == nullptr ? "" : excerpt_of(*users, source_folder);
    return line.empty() ? "" : "<br>" + element("code", css_class("source"), escaped(line));
}

std::string details_of(const finding& what, const std::string& source_folder) {
    std::string text = element("summary", "", location_of(what) + source_of(what, source_folder));
    text += element("p", "", escaped(headline(what)) + '.');
    text += element("p", css_class("remedy"), "&rarr; " + escaped(remedy(what)));
    if (!what.suppressed_by.empty())
        text += element("p", "", "Suppressed by " + element("code", "", escaped(what.suppressed_by)));
    if (!what.spawned_at.empty()) text += element("p", css_class("quiet"), "Spawned at " + escaped(what.spawned_at));
    if (!what.test_case.empty()) text += element("p", css_class("quiet"), "In test case " + escaped(what.test_case));
    text += stack_of(what);
    if (what.stacks > 1) {
        const std::string others = counted(what.stacks - 1, "more stack");
        text += element("p", css_class("quiet"),
                        "and " + others + " that " + (what.stacks == 2 ? "leads" : "lead") + " to this line");
    }
    return element("details", "", text);
}

std::string level_of_row(const finding& what) {
    return what.suppressed_by.empty() ? std::string{to_string(what.level)} : "suppressed";
}

std::string call_of(const finding& what) {
    const rule& broken = rule_for(what.category);
    return element("span", css_class("level"), level_of_row(what)) + ' ' + element("code", "", escaped(what.call)) +
           "<br><span class=\"quiet\" title=\"" + escaped(broken.title) + "\">" + escaped(broken.name) + "</span>";
}

/// The name of the column stands beside the number where a narrow screen has no columns.
std::string number(const std::string& column, const std::string& text) {
    return element("td", css_class("number") + " data-column=\"" + column + '"', text);
}

std::string duration(const std::string& column, double milliseconds) {
    return number(column, milliseconds > 0 ? duration_text(milliseconds) : "&ndash;");
}

std::string row(const finding& what, const std::string& source_folder) {
    const std::string cells = duration("Total", what.total_ms) +
                              element("td", css_class("place"), details_of(what, source_folder)) +
                              element("td", css_class("call"), call_of(what)) +
                              number("Times", std::to_string(what.count)) + duration("Longest", what.max_ms);
    return element("tr", css_class(level_of_row(what)), cells) + '\n';
}

std::string table(const result& what, const std::string& source_folder) {
    if (what.findings.empty()) return "";
    constexpr std::string_view head =
        "<thead><tr><th class=\"number\">Total</th><th>Where</th><th>What</th><th class=\"number\">Times</th>"
        "<th class=\"number\">Longest</th></tr></thead>\n";
    std::string rows;
    for (const finding& each : what.findings) rows += row(each, source_folder);
    return element("div", css_class("wide"), element("table", "", std::string{head} + element("tbody", "", rows))) +
           '\n';
}

std::string summary(const result& what) {
    const auto is_suppressed = [](const finding& each) { return !each.suppressed_by.empty(); };
    const auto has_level = [&](coir::blocking_level level) {
        return [&is_suppressed, level](const finding& each) { return !is_suppressed(each) && each.level == level; };
    };
    const auto suppressed = static_cast<std::uint64_t>(std::ranges::count_if(what.findings, is_suppressed));
    const auto errors =
        static_cast<std::uint64_t>(std::ranges::count_if(what.findings, has_level(coir::blocking_level::error)));
    const auto warnings =
        static_cast<std::uint64_t>(std::ranges::count_if(what.findings, has_level(coir::blocking_level::warning)));
    const auto notes =
        static_cast<std::uint64_t>(std::ranges::count_if(what.findings, has_level(coir::blocking_level::note)));
    double total_ms = 0;
    for (const finding& each : what.findings) total_ms += is_suppressed(each) ? 0 : each.total_ms;

    std::string text = element("code", "", escaped(what.program)) + "<br>";
    if (errors > 0)
        text += counted(errors, "error") + ": fibers held their thread, or could have, for " + duration_text(total_ms) +
                " in total.";
    else
        text += what.engine.empty() ? "No run of coir was recorded." : "No fiber held its thread.";
    if (warnings > 0) text += ' ' + counted(warnings, "warning") + '.';
    if (notes > 0) text += ' ' + counted(notes, "note") + '.';
    if (suppressed > 0)
        text += ' ' + counted(suppressed, "finding") + (suppressed == 1 ? " is" : " are") + " suppressed.";
    return element("p", css_class("summary"), text) + '\n';
}

std::string notes(const result& what) {
    std::string items;
    for (const std::string& each : what.notes) items += element("li", "", escaped(each));
    return items.empty() ? "" : element("ul", css_class("notes"), items) + '\n';
}

std::string flames(const result& what) {
    const std::string graph = flame_graph(what);
    if (graph.empty()) return "";
    return "<h2>Where the time went</h2>\n<p class=\"quiet\">Callers are above their callees, the blocking call is at "
           "the bottom. The width is the time that was lost.</p>\n" +
           graph;
}

// The content security policy forbids all requests, even if a name on the page contains markup.
constexpr std::string_view head = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Fibers that held their thread</title>
)";

}  // namespace

std::string to_html(const result& what, const std::string& source_folder) {
    std::string page{head};
    page += element("style", "", html_style) + "\n</head>\n<body>\n<h1>Fibers that held their thread</h1>\n";
    page += summary(what) + notes(what);
    page += "<input id=\"filter\" type=\"search\" placeholder=\"Filter: file, function, class, fiber\" "
            "aria-label=\"Filter\" hidden>\n";
    page += table(what, source_folder) + flames(what);
    page += "<footer>blocking-detector " + std::string{tool_version()};
    if (!what.engine.empty()) page += ", engine " + escaped(what.engine);
    return page + "</footer>\n" + element("script", "", html_script) + "\n</body>\n</html>\n";
}

}  // namespace detector
