#include "render/text.hpp"

#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"
#include "render/location.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace detector {

namespace {

using namespace coir::detail;
using coir::blocking_level;

constexpr std::size_t frames_shown = 24;
constexpr std::size_t name_length = 100;

/// Adds the colours of a terminal to a text, if they are enabled.
class pen {
public:
    explicit pen(bool colours) noexcept : colours_{colours} {}

    [[nodiscard]] std::string location(const std::string& text) const { return in("\x1b[1;31m", text); }
    [[nodiscard]] std::string remedy(const std::string& text) const { return in("\x1b[32m", text); }
    [[nodiscard]] std::string strong(const std::string& text) const { return in("\x1b[1m", text); }
    [[nodiscard]] std::string faint(const std::string& text) const { return in("\x1b[2m", text); }

private:
    [[nodiscard]] std::string in(const char* colour, const std::string& text) const {
        return colours_ ? colour + text + "\x1b[0m" : text;
    }

    bool colours_;
};

bool is_shown(const finding& each, const text_style& style) {
    return each.suppressed_by.empty() && each.level >= style.show;
}

std::string frame_text(frame each) {
    if (each.function.size() > name_length) each.function = short_name(each.function, name_length);
    return coir::detail::to_string(each);
}

std::string stack_of(const finding& what, const pen& in) {
    // The outermost frames are internal to coir and the same for all fibers.
    std::size_t count = what.stack.size();
    while (count > 0 && what.stack[count - 1].plumbing) --count;
    std::string text;
    for (std::size_t i = 0; i < std::min(count, frames_shown); ++i) {
        const bool is_users = static_cast<int>(i) == what.location;
        const std::string line = frame_text(what.stack[i]);
        text += is_users ? "    > " + in.strong(line) : "      " + (what.stack[i].plumbing ? in.faint(line) : line);
        text += '\n';
    }
    if (count > frames_shown) text += "      ... and " + std::to_string(count - frames_shown) + " more\n";
    return text;
}

std::string text_of(const finding& what, const text_style& style) {
    const pen in{style.colours};
    const std::string location = location_text(what);
    std::string text = (location.empty() ? "" : in.location(location) + ": ") +
                       (what.level == blocking_level::error ? "" : std::string{to_string(what.level)} + ": ") +
                       headline(what) + '\n';
    if (const frame* const user = users_frame(what)) {
        const std::string excerpt = excerpt_of(*user, style.source_folder);
        if (!excerpt.empty()) text += "    | " + in.strong(excerpt) + '\n';
    }
    text += "    instead: " + in.remedy(remedy(what)) + '\n';
    text += stack_of(what, in);
    if (what.stacks > 1) text += "      and " + counted(what.stacks - 1, "more stack") + '\n';
    if (!what.spawned_at.empty()) text += "    spawned at " + what.spawned_at + '\n';
    if (!what.test_case.empty()) text += "    in test case " + what.test_case + '\n';
    return text + '\n';
}

}  // namespace

std::string to_text(const result& what, const text_style& style) {
    std::string text;
    for (const finding& each : what.findings) {
        if (is_shown(each, style)) text += text_of(each, style);
    }
    for (const std::string& each : what.notes) text += "note: " + each + '\n';
    return text + pen{style.colours}.strong(summary_of(what, style.show)) + '\n';
}

std::string summary_of(const result& what, blocking_level show) {
    std::array<std::size_t, 3> counts{};  // by level
    std::size_t suppressed = 0;
    for (const finding& each : what.findings)
        ++(each.suppressed_by.empty() ? counts[static_cast<std::size_t>(each.level)] : suppressed);
    std::string found;
    std::string hidden;
    for (const blocking_level each : {blocking_level::error, blocking_level::warning, blocking_level::note}) {
        const std::size_t count = counts[static_cast<std::size_t>(each)];
        if (count == 0) continue;
        std::string& into = each >= show ? found : hidden;
        into.append(into.empty() ? "" : ", ").append(counted(count, std::string{to_string(each)}));
    }
    std::string text = "blocking-detector: ";
    if (what.engine.empty())
        text += "no run of coir was recorded: the program does not link coir, or never called coir::run";
    else
        text += found.empty() ? "no fiber held its thread" : found;
    if (!hidden.empty()) {
        const bool only_notes =
            counts[static_cast<std::size_t>(blocking_level::warning)] == 0 || show <= blocking_level::warning;
        text += "; " + hidden + ": --show " + (only_notes ? "note" : "warning");
    }
    if (suppressed > 0) text += ", " + std::to_string(suppressed) + " suppressed";
    if (!what.engine.empty()) text += "; engine " + what.engine;
    return text;
}

}  // namespace detector
