#pragma once

#include <coir/blocking.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace coir::detail {

/// The names that logs, files and the environment use.
[[nodiscard]] std::string_view to_string(blocking_kind kind) noexcept;
[[nodiscard]] std::string_view to_string(blocking_class category) noexcept;

/// The class with the name `name`; empty if there is none.
[[nodiscard]] std::optional<blocking_class> class_named(std::string_view name) noexcept;

/// "sleep, poll, ...", for messages.
[[nodiscard]] std::string names_of_all_classes();

/// Parses a list of classes: "sleep,dns" (only these) or "-disk,-pipe" (all except these). Empty if malformed.
[[nodiscard]] std::optional<blocking_classes> classes_in(std::string_view list) noexcept;

/// "list such as sleep,dns (only these) or ...", for messages.
[[nodiscard]] std::string form_of_class_list();

}  // namespace coir::detail
