#include "detect/finding/wording.hpp"

#include "detect/calls/classes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace coir::detail {

namespace {

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string hexadecimal(std::uint64_t number) {
    std::array<char, 24> text;
    std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(number));
    return text.data();
}

/// Parses "file:line". Empty for any other text.
std::optional<source_line> parsed(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return std::nullopt;
    int line = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, line);
    if (error != std::errc{} || stop != end || line <= 0) return std::nullopt;
    return source_line{std::string{text.substr(0, colon)}, line};
}

/// What the C++ library or another one makes of system calls, and what to use instead.
struct construct {
    std::string_view name;  // part of the name of a function on the stack
    blocking_class category;
    std::string_view remedy;
};

constexpr construct constructs[]{
    {"future", blocking_class::lock, "use coir::future, or coir::offload"},
    {"std::latch", blocking_class::lock, "use coir::latch"},
    {"std::barrier", blocking_class::lock, "use coir::barrier"},
    {"semaphore", blocking_class::lock, "use coir::semaphore"},
    {"call_once", blocking_class::lock, "use coir::once_flag"},
    {"condition_variable", blocking_class::lock, "use coir::condition_variable"},
    {"std::thread::join", blocking_class::lock, "use a coir::fiber instead of the thread, or coir::offload"},
    {"g_spawn", blocking_class::process, "use coir::run_process"},
    {"QProcess", blocking_class::process, "use coir::run_process"},
    {"boost::process", blocking_class::process, "use coir::run_process"},
};

std::string how_long(const finding& what) {
    const std::string longest = duration_text(what.max_ms);
    if (what.goes_on) return "has held its thread for " + longest + " so far";
    if (what.count <= 1) return "held its thread for " + longest;
    return "held its thread " + std::to_string(what.count) + " times for " + duration_text(what.total_ms) + ", " +
           longest + " at most";
}

std::string which_call(const finding& what) {
    const std::string category{to_string(what.category)};
    return what.call.empty() ? "the kernel (" + category + ')' : what.call + " (" + category + ')';
}

/// If an operator's name begins at `at`, its end: there `<` and `(` are part of the name. Otherwise `at`.
std::size_t end_of_operator(std::string_view function, std::size_t at) noexcept {
    constexpr std::string_view word = "operator";
    if (function.substr(at, word.size()) != word || (at > 0 && function[at - 1] != ':' && function[at - 1] != ' '))
        return at;
    const std::size_t symbol = at + word.size();
    if (function.substr(symbol).starts_with("()")) return symbol + 2;
    return std::min(function.find_first_not_of("<>=-", symbol), function.size());
}

/// Shortens a text, but never inside a UTF-8 character.
std::string cut(std::string text, std::size_t length) {
    if (text.size() <= length) return text;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
    return text.substr(0, length) + "...";
}

}  // namespace

std::string counted(std::uint64_t number, const std::string& what) {
    return std::to_string(number) + ' ' + what + (number == 1 ? "" : "s");
}

std::string duration_text(double milliseconds) {
    std::array<char, 32> text;
    if (milliseconds >= 1000)
        std::snprintf(text.data(), text.size(), "%.2f s", milliseconds / 1000);
    else if (milliseconds >= 10)
        std::snprintf(text.data(), text.size(), "%.0f ms", milliseconds);
    else
        std::snprintf(text.data(), text.size(), "%.2f ms", milliseconds);
    return text.data();
}

std::string short_name(std::string_view function, std::size_t length) {
    std::string kept;
    int depth = 0;
    for (std::size_t at = 0; at < function.size();) {
        if (const std::size_t end = end_of_operator(function, at); end != at) {
            if (depth == 0) kept += function.substr(at, end - at);
            at = end;
            continue;
        }
        if (constexpr std::string_view unnamed = "(anonymous namespace)::"; function.substr(at).starts_with(unnamed)) {
            at += unnamed.size();
            continue;
        }
        const char each = function[at++];
        if ((each == '>' || each == ')') && depth > 0) --depth;
        if (depth == 0) kept += each;
        if (each == '<' || each == '(') ++depth;
    }
    return cut(std::move(kept), length);
}

std::string function_or_offset(const frame& which) {
    if (!which.function.empty()) return which.function;
    return which.module.empty() ? "??" : base_name(which.module) + '+' + hexadecimal(which.offset);
}

std::string to_string(const source_line& which) {
    return which.line > 0 ? which.file + ':' + std::to_string(which.line) : which.file;
}

std::string to_string(const frame& which) {
    if (!which.file.empty()) return function_or_offset(which) + " at " + to_string(source_line{which.file, which.line});
    return which.function.empty() || which.module.empty() ? function_or_offset(which)
                                                          : which.function + " in " + which.module;
}

std::string fiber_text(const finding& what) {
    if (what.fiber.starts_with('#')) return "fiber " + what.fiber;
    return "fiber " + (what.fiber_id > 0 ? '#' + std::to_string(what.fiber_id) + ' ' : "") + '"' + what.fiber + '"';
}

std::string activity_text(const finding& what) {
    if (what.kind == blocking_kind::hog) return "computing";
    return (what.kind == blocking_kind::latent ? "in " : "asleep in ") + which_call(what);
}

std::string headline(const finding& what) {
    std::string text = fiber_text(what);
    if (what.kind == blocking_kind::latent)
        text += " called " + which_call(what) + ", which can hold its thread";
    else
        text += ' ' + how_long(what) + ", " + activity_text(what);
    if (what.waits_for_itself) text += "; deadlock: a fiber of the same thread holds the lock";
    return text;
}

std::string remedy(const finding& what) {
    const auto inner = std::span{what.stack}.first(static_cast<std::size_t>(std::max(what.location, 0)));
    for (const construct& each : constructs) {
        const auto names_it = [&](const frame& here) { return here.function.find(each.name) != here.function.npos; };
        if (each.category == what.category && std::ranges::any_of(inner, names_it)) return std::string{each.remedy};
    }
    return std::string{remedy_for(what.category, what.call)};
}

const frame* users_frame(const finding& what) noexcept {
    const auto index = static_cast<std::size_t>(what.location);
    return what.location >= 0 && index < what.stack.size() ? &what.stack[index] : nullptr;
}

std::string location_text(const finding& what) {
    const frame* const users = users_frame(what);
    if (users == nullptr) return what.spawned_at;
    return users->file.empty() ? function_or_offset(*users) : to_string(source_line{users->file, users->line});
}

std::optional<source_line> nearest_line(const finding& what) {
    const auto line_of = [](const frame& each) { return source_line{each.file, std::max(each.line, 1)}; };
    const auto has_source = [](const frame& each) { return !each.file.empty(); };
    if (const frame* users = users_frame(what); users != nullptr && has_source(*users)) return line_of(*users);
    const auto own =
        std::ranges::find_if(what.stack, [&](const frame& each) { return has_source(each) && !each.plumbing; });
    if (own != what.stack.end()) return line_of(*own);
    if (auto spawned = parsed(what.spawned_at)) return spawned;
    const auto any = std::ranges::find_if(what.stack, has_source);
    return any == what.stack.end() ? std::nullopt : std::optional{line_of(*any)};
}

std::span<const frame> telling_part(const finding& what) noexcept {
    std::size_t count = what.stack.size();
    while (count > 0 && what.stack[count - 1].plumbing) --count;
    return std::span{what.stack}.first(count > 0 ? count : what.stack.size());
}

std::string stack_text(const finding& what) {
    std::string text;
    for (const frame& each : telling_part(what)) text += to_string(each) + '\n';
    return text;
}

std::vector<std::string> path_to(const finding& what) {
    std::vector<std::string> path;
    for (const frame& each : telling_part(what)) path.insert(path.begin(), function_or_offset(each));
    if (path.empty()) path = {"unknown stack"};
    // The innermost function is often the call itself, with underscores in front of its name in the C library.
    if (!path.back().ends_with(what.call)) path.push_back(what.call);
    return path;
}

}  // namespace coir::detail
