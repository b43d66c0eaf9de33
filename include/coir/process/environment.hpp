#pragma once

#include <coir/detail/base/platform.hpp>

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace coir {

/// The environment variables that a process is started with (environ(7)).
///
/// @code
/// coir::environment plain = coir::environment::inherited();
/// plain.set("LC_ALL", "C").unset("DISPLAY");
/// if (plain.variables().at("LC_ALL") != "C") throw std::logic_error{"environment"};
/// @endcode
class environment {
public:
    /// No variables.
    environment() = default;

    /// Exactly these variables. Throws as `set`.
    environment(std::initializer_list<std::pair<std::string_view, std::string_view>> variables);

    /// The current variables of this program. Must not run while another thread changes them (setenv(3)).
    [[nodiscard]] static environment inherited();

    /// Adds the variable, or replaces its value. Throws `std::system_error` (`invalid_argument`) that names the
    /// variable if the name is empty or contains `=`, or if the name or the value contains NUL, which would end it
    /// early.
    environment& set(std::string_view name, std::string_view value);

    /// Removes the variable, if it exists.
    environment& unset(std::string_view name);

    /// All variables, by name.
    [[nodiscard]] const std::map<std::string, std::string, std::less<>>& variables() const noexcept {
        return variables_;
    }

private:
    std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace coir
