#include "detect/finding/users_code.hpp"

#include "base/symbols.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

namespace coir::detail {

namespace {

/// The name without a prefix that the C library and the sanitizers put in front of it; empty if it has none.
std::string_view without_prefix(std::string_view function) {
    for (const std::string_view prefix :
         {"__interceptor_", "___interceptor_", "__GI_", "__libc_", "__new_", "_IO_new_", "_IO_", "___", "__", "do_"}) {
        if (function.starts_with(prefix)) return function.substr(prefix.size());
    }
    return {};
}

/// The first of the names `__GI___libc_malloc`, `__libc_malloc`, `malloc` for which `wanted` holds; empty if there is
/// none.
template <class Wanted> std::string_view find_name(std::string_view function, Wanted wanted) {
    if (const std::size_t part = function.find(".constprop."); part != function.npos)
        function = function.substr(0, part);
    while (!function.empty() && !wanted(function)) function = without_prefix(function);
    return function;
}

bool is_of_allocator(const frame& each) {
    constexpr std::string_view functions[]{"malloc",         "calloc",        "realloc",  "reallocarray", "free",
                                           "posix_memalign", "aligned_alloc", "memalign", "valloc",       "pvalloc",
                                           "malloc_trim",    "malloc_info",   "mallinfo", "mallinfo2",    "cfree"};
    constexpr std::string_view beginnings[]{
        "operator new", "operator delete", "tcmalloc::", "tc_",       "je_",     "mi_",      "_mi_",
        "_int_malloc",  "_int_free",       "sysmalloc",  "arena_get", "rallocx", "sdallocx", "mallocx"};
    const auto is_known = [&](std::string_view name) {
        return std::ranges::find(functions, name) != std::end(functions);
    };
    return !find_name(each.function, is_known).empty() ||
           std::ranges::any_of(beginnings, [&](std::string_view begin) { return each.function.starts_with(begin); });
}

std::filesystem::path absolute(const std::string& file, const std::string& root) {
    const std::filesystem::path path{file};
    return (path.is_absolute() ? path : std::filesystem::path{root} / path).lexically_normal();
}

bool is_there(const std::filesystem::path& path) {
    std::error_code unreadable;
    return std::filesystem::exists(path, unreadable);
}

void leave_out_foreign_sources(finding& of) {
    for (frame& each : of.stack) {
        if (!is_system_library(each.module) || each.file.starts_with('/')) continue;
        each.file.clear();
        each.line = 0;
    }
}

/// The frames that are inside the user's frame.
std::size_t inner_frames(const finding& of) {
    const bool has_users =
        of.location >= 0 && !is_system_library(of.stack[static_cast<std::size_t>(of.location)].module);
    return has_users ? static_cast<std::size_t>(of.location) : of.stack.size();
}

/// Of several functions the outermost one, since getaddrinfo calls others.
void name_by_stack(finding& of) {
    const auto begin = of.stack.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(inner_frames(of));
    const auto is_telling_name = [](std::string_view name) { return is_telling_function(call_named(name)); };
    const auto found =
        std::find_if(std::make_reverse_iterator(end), std::make_reverse_iterator(begin),
                     [&](const frame& each) { return !find_name(each.function, is_telling_name).empty(); });
    if (found.base() == begin) return;
    const known_call& known = call_named(find_name(found->function, is_telling_name));
    of.call = known.name;
    of.category = known.category;
    if (of.rule != level_rule::once_long) of.rule = level_rule::by_call;  // a file that the function looks at
    const auto erased = std::prev(found.base());
    of.location -= of.location >= 0 ? static_cast<int>(erased - begin) : 0;
    of.stack.erase(begin, erased);
}

}  // namespace

void find_users_frame(const users_code& code, finding& of) {
    if (code.ignored) std::erase_if(of.stack, code.ignored);
    leave_out_foreign_sources(of);
    locate(code, of);
    if (of.kind == blocking_kind::hog) return;
    const auto begin = of.stack.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(inner_frames(of));
    const bool in_allocator = (of.category == blocking_class::lock || of.category == blocking_class::other) &&
                              std::any_of(begin, end, is_of_allocator);
    name_by_stack(of);
    if (const known_call& known = call_named(of.call); !known.name.empty()) of.call = known.name;
    if (in_allocator) of.rule = level_rule::note;
}

void locate(const users_code& code, finding& of) {
    const auto first = [&](auto&& wanted) {
        const auto found = std::ranges::find_if(of.stack, wanted);
        if (found == of.stack.end()) return false;
        of.location = static_cast<int>(found - of.stack.begin());
        return true;
    };
    const auto own = [](const frame& each) { return !each.plumbing; };
    const auto in_program = [](const frame& each) { return !each.plumbing && !is_system_library(each.module); };
    const auto with_source = [&](const frame& each) {
        return in_program(each) && !each.file.empty() && !each.file.starts_with("/usr/");
    };
    const auto under_root = [&](const frame& each) {
        if (!with_source(each) || code.source_root.empty()) return false;
        const std::filesystem::path path = absolute(each.file, code.source_root);
        const std::string root = code.source_root.ends_with('/') ? code.source_root : code.source_root + '/';
        return path.native().starts_with(root) && is_there(path);
    };
    const auto on_this_machine = [&](const frame& each) {
        return with_source(each) && is_there(absolute(each.file, code.source_root));
    };

    of.location = -1;
    if (code.owner && first(code.owner)) return;
    if (first(under_root) || first(on_this_machine) || first(with_source) || first(in_program)) return;
    first(own);
}

}  // namespace coir::detail
