#include "render/text.hpp"

#include "render/phrases.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <span>

namespace detector {

namespace {

using coir::blocking_kind;

constexpr std::size_t frames_shown = 24;
constexpr std::size_t name_length = 100;
constexpr std::size_t excerpt_length = 110;

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
    return each.suppressed_by.empty() && (style.latent || each.kind != blocking_kind::latent);
}

/// The source line of a frame, if the file can be read.
std::string excerpt_of(const frame& where, const std::string& folder) {
    if (where.file.empty() || where.line <= 0) return {};
    std::ifstream file{where.file};
    if (!file && !folder.empty()) file.open(std::filesystem::path{folder} / where.file);
    std::string line;
    for (int number = 0; number < where.line; ++number) {
        if (!std::getline(file, line)) return {};
    }
    const std::size_t first = line.find_first_not_of(" \t");
    return first == line.npos ? std::string{} : line.substr(first, excerpt_length);
}

std::string location_of(const finding& what) {
    const frame* const user = users_frame(what);
    if (user == nullptr) return what.spawned_at;
    return user->file.empty() ? function_or_offset(*user) : to_string(source_line{user->file, user->line});
}

std::string frame_text(frame each) {
    if (each.function.size() > name_length) each.function = short_name(each.function, name_length);
    return to_string(each);
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

std::string to_string(const finding& what, const text_style& style) {
    const pen in{style.colours};
    const std::string location = location_of(what);
    std::string text = (location.empty() ? "" : in.location(location) + ": ") + headline(what) + '\n';
    if (const frame* const user = users_frame(what)) {
        const std::string excerpt = excerpt_of(*user, style.source_folder);
        if (!excerpt.empty()) text += "    | " + in.strong(excerpt) + '\n';
    }
    text += "    instead: " + in.remedy(remedy(what)) + '\n';
    text += stack_of(what, in);
    if (!what.spawned_at.empty()) text += "    spawned at " + what.spawned_at + '\n';
    return text + '\n';
}

/// "3 blocked, 1 hog", or nothing.
std::string counts_text(const std::array<std::size_t, 3>& counts) {
    constexpr std::array<const char*, 3> names{"blocked", "hog", "latent"};
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (counts[i] > 0) text += (text.empty() ? "" : ", ") + std::to_string(counts[i]) + ' ' + names[i];
    }
    return text;
}

}  // namespace

std::string to_text(const result& what, const text_style& style) {
    std::string text;
    for (const finding& each : what.findings) {
        if (is_shown(each, style)) text += to_string(each, style);
    }
    for (const std::string& each : what.notes) text += "note: " + each + '\n';
    return text + pen{style.colours}.strong(summary_of(what)) + '\n';
}

std::string summary_of(const result& what) {
    std::array<std::size_t, 3> counts{};
    std::size_t suppressed = 0;
    for (const finding& each : what.findings)
        ++(each.suppressed_by.empty() ? counts[static_cast<std::size_t>(each.kind)] : suppressed);
    const std::string found = counts_text(counts);
    std::string text = "blocking-detector: ";
    if (what.engine.empty())
        text += "no run of coir was recorded: the program does not link coir, or never called coir::run";
    else
        text += found.empty() ? "no fiber held its thread" : found;
    if (counts[static_cast<std::size_t>(blocking_kind::latent)] > 0) text += " (--latent shows these)";
    if (suppressed > 0) text += ", " + std::to_string(suppressed) + " suppressed";
    if (!what.engine.empty()) text += "; engine " + what.engine;
    return text;
}

}  // namespace detector
