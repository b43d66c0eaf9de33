#include "detect/calls/classes.hpp"

#include <algorithm>
#include <array>

namespace coir::detail {

namespace {

using enum blocking_class;

constexpr std::array<std::string_view, 11> class_names{"sleep",   "poll", "network", "pipe",  "disk", "lock",
                                                       "process", "dns",  "signal",  "other", "cpu"};

}  // namespace

std::string_view to_string(blocking_kind kind) noexcept {
    switch (kind) {
    case blocking_kind::blocked: return "blocked";
    case blocking_kind::hog: return "hog";
    case blocking_kind::latent: return "latent";
    }
    return "";
}

std::string_view to_string(blocking_class category) noexcept { return class_names[static_cast<std::size_t>(category)]; }

std::optional<blocking_class> class_named(std::string_view name) noexcept {
    const auto found = std::ranges::find(class_names, name);
    if (found == class_names.end()) return std::nullopt;
    return static_cast<blocking_class>(found - class_names.begin());
}

std::string names_of_all_classes() {
    std::string all;
    for (const std::string_view each : class_names) all.append(all.empty() ? "" : ", ").append(each);
    return all;
}

std::optional<blocking_classes> classes_in(std::string_view list) noexcept {
    const bool all_but = list.starts_with('-');
    blocking_classes made;
    if (!all_but) made = blocking_classes(std::initializer_list<blocking_class>{});
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(',', at), list.size());
        const std::string_view item = list.substr(at, end - at);
        const std::optional<blocking_class> category = class_named(item.substr(item.starts_with('-') ? 1 : 0));
        if (!category || item.starts_with('-') != all_but) return std::nullopt;
        if (all_but)
            made.erase(*category);
        else
            made.insert(*category);
        at = end + 1;
    }
    return made;
}

std::string form_of_class_list() {
    return "list such as sleep,dns (only these) or -disk,-pipe (all except these) of the classes " +
           names_of_all_classes();
}

}  // namespace coir::detail
