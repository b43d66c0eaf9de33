#include "detect/finding/wording.hpp"
#include "render/render.hpp"
#include "render/rules.hpp"

namespace detector {

using namespace coir::detail;

namespace {

/// Escapes a message, which the runner decodes:
/// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
std::string in_message(std::string_view text) {
    std::string made;
    for (const char each : text) {
        switch (each) {
        case '%': made += "%25"; break;
        case '\r': made += "%0D"; break;
        case '\n': made += "%0A"; break;
        default: made += each;
        }
    }
    return made;
}

/// Escapes a property, which `:` and `,` would end too.
std::string in_property(std::string_view text) {
    std::string made;
    for (const char each : in_message(text)) {
        switch (each) {
        case ':': made += "%3A"; break;
        case ',': made += "%2C"; break;
        default: made += each;
        }
    }
    return made;
}

std::string annotation(const finding& what) {
    const rule& broken = rule_for(what.category);
    std::string text = what.level == coir::blocking_level::error     ? "::error "
                       : what.level == coir::blocking_level::warning ? "::warning "
                                                                     : "::notice ";
    if (const auto line = nearest_line(what))
        text += "file=" + in_property(line->file) + ",line=" + std::to_string(line->line) + ',';
    text += "title=" + in_property(std::string{broken.id} + ' ' + std::string{broken.name});
    return text + "::" + in_message(headline(what) + "; " + remedy(what) + "\n\n" + stack_text(what)) + '\n';
}

}  // namespace

std::string to_github(const result& what) {
    std::string text;
    for (const finding& each : what.findings) {
        if (each.suppressed_by.empty()) text += annotation(each);
    }
    return text;
}

}  // namespace detector
