#include "render/flame_graph.hpp"

#include "detect/finding/wording.hpp"
#include "render/markup.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

namespace detector {

using namespace coir::detail;

namespace {

struct node {
    std::string name;
    double total_ms = 0;
    std::vector<node> callees;
};

void add(node& root, const finding& what) {
    node* at = &root;
    at->total_ms += what.total_ms;
    for (std::string& name : path_to(what)) {
        auto found = std::ranges::find(at->callees, name, &node::name);
        if (found == at->callees.end()) found = at->callees.insert(found, node{std::move(name), 0, {}});
        at = &*found;
        at->total_ms += what.total_ms;
    }
}

/// A hue between red and yellow. The same function always has the same hue.
std::size_t hue_of(const std::string& name) { return std::hash<std::string>{}(name) % 40 + 15; }

std::string box(const node& which, double of_ms) {
    std::array<char, 64> style;
    std::snprintf(style.data(), style.size(), "width:%.3f%%;--hue:%zu", 100 * which.total_ms / of_ms,
                  hue_of(which.name));
    std::string text = "<div class=\"node\" style=\"" + std::string{style.data()} +
                       "\"><div class=\"call\" tabindex=\"0\" title=\"" + escaped(which.name) + ": " +
                       duration_text(which.total_ms) + "\">" + escaped(short_name(which.name)) + "</div>";
    if (which.callees.empty()) return text + "</div>";
    text += "<div class=\"of\">";
    for (const node& each : which.callees) text += box(each, which.total_ms);
    return text + "</div></div>";
}

}  // namespace

std::string flame_graph(const result& what) {
    node root{"all", 0, {}};
    for (const finding& each : what.findings) {
        if (each.suppressed_by.empty() && each.total_ms > 0) add(root, each);
    }
    return root.callees.empty() ? "" : "<div class=\"flame\">" + box(root, root.total_ms) + "</div>\n";
}

}  // namespace detector
