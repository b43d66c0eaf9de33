#include "read/users_code.hpp"

#include "base/symbols.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

namespace detector {

namespace {

using coir::detail::is_system_library;
using enum coir::blocking_class;

constexpr auto known_functions = std::to_array<std::pair<std::string_view, coir::blocking_class>>({
    {"getaddrinfo", dns},
    {"gethostbyname", dns},
    {"gethostbyname2", dns},
    {"gethostbyname_r", dns},
    {"gethostbyname2_r", dns},
    {"gethostbyaddr", dns},
    {"gethostbyaddr_r", dns},
    {"getnameinfo", dns},
    {"system", process},
    {"popen", process},
    {"pclose", process},
});

/// Removes the prefixes that the C library and the sanitizers put in front of a function name.
std::string_view plain_name(std::string_view function) {
    for (const std::string_view prefix :
         {"__interceptor_", "___interceptor_", "__GI_", "__libc_", "__new_", "_IO_new_", "_IO_", "__", "do_"}) {
        if (function.starts_with(prefix)) return function.substr(prefix.size());
    }
    return function;
}

}  // namespace

bool matches(const pattern& wanted, const frame& each) {
    return wanted.matches(each.function) || wanted.matches(each.file) || wanted.matches(each.module);
}

void leave_out_ignored(const users_code& code, finding& of) {
    if (code.ignored) std::erase_if(of.stack, [&](const frame& each) { return matches(*code.ignored, each); });
}

void leave_out_foreign_sources(finding& of) {
    for (frame& each : of.stack) {
        if (!is_system_library(each.module) || each.file.starts_with('/')) continue;
        each.file.clear();
        each.line = 0;
    }
}

void name_by_stack(finding& of) {
    if (of.kind == coir::blocking_kind::hog) return;
    const auto is_known = [](const frame& each) {
        return std::ranges::find(known_functions, plain_name(each.function),
                                 [](const auto& known) { return known.first; }) != known_functions.end();
    };
    // The outermost one, since getaddrinfo calls other functions of the table.
    const auto found = std::find_if(of.stack.rbegin(), of.stack.rend(), is_known);
    if (found == of.stack.rend()) return;
    const auto known =
        std::ranges::find(known_functions, plain_name(found->function), [](const auto& each) { return each.first; });
    of.call = known->first;
    of.category = known->second;
    of.stack.erase(of.stack.begin(), std::prev(found.base()));
}

void locate(const users_code& code, finding& of) {
    const auto first = [&](auto&& wanted) {
        const auto found = std::ranges::find_if(of.stack, wanted);
        if (found == of.stack.end()) return false;
        of.location = static_cast<int>(found - of.stack.begin());
        return true;
    };
    const auto own = [](const frame& each) { return !each.plumbing; };
    const auto with_source = [](const frame& each) {
        return !each.plumbing && !each.file.empty() && !each.file.starts_with("/usr/") &&
               !is_system_library(each.module);  // a system library may have debug information installed
    };
    const auto in_program = [](const frame& each) { return !each.plumbing && !is_system_library(each.module); };

    of.location = -1;
    if (code.owner && first([&](const frame& each) { return matches(*code.owner, each); })) return;
    if (first(with_source) || first(in_program)) return;
    first(own);
}

}  // namespace detector
