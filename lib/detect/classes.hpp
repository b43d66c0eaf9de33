#pragma once

#include <coir/blocking.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace coir::detail {

/// The names that logs, files and the environment use.
[[nodiscard]] std::string_view to_string(blocking_kind kind) noexcept;
[[nodiscard]] std::string_view to_string(blocking_class category) noexcept;

/// The class of that name, or none.
[[nodiscard]] std::optional<blocking_class> class_named(std::string_view name) noexcept;

/// "sleep, poll, ...": for messages.
[[nodiscard]] std::string names_of_all_classes();

/// The classes of a list: "sleep,dns" (these alone) or "-disk,-pipe" (all but these); none for a text that is no such
/// list.
[[nodiscard]] std::optional<blocking_classes> classes_in(std::string_view list) noexcept;

/// "list like sleep,dns (these alone) or ...": for messages.
[[nodiscard]] std::string form_of_class_list();

/// What to write in a fiber instead of the call.
[[nodiscard]] std::string_view advice_for(blocking_class category, std::string_view call) noexcept;

/// A system call that may sleep.
struct known_system_call {
    long number;
    const char* name;
    blocking_class category;
};

/// By its number on this machine; one named "system call" of class `other` when it is not in the table.
[[nodiscard]] const known_system_call& system_call_numbered(long number) noexcept;

}  // namespace coir::detail
