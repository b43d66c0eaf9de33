#pragma once

#include <coir/detail/base/platform.hpp>

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace coir {

/// The variables that a process is started with (environ(7)).
///
/// @code
/// coir::environment plain = coir::environment::inherited();
/// plain.set("LC_ALL", "C").unset("DISPLAY");
/// if (plain.variables().at("LC_ALL") != "C") throw std::logic_error{"environment"};
/// @endcode
class environment {
public:
    /// None at all.
    environment() = default;

    /// These alone. Throws as `set`.
    environment(std::initializer_list<std::pair<std::string_view, std::string_view>> variables);

    /// Those that the program has now. Reads what setenv(3) writes: not while another thread does.
    [[nodiscard]] static environment inherited();

    /// Adds the variable, or gives it another value. Throws `std::system_error` (`invalid_argument`, naming it) for a
    /// name that is empty or has a `=`, and for NUL characters, which would end the name or value early.
    environment& set(std::string_view name, std::string_view value);

    /// Takes the variable away, if it is there.
    environment& unset(std::string_view name);

    /// By name.
    [[nodiscard]] const std::map<std::string, std::string, std::less<>>& variables() const noexcept {
        return variables_;
    }

private:
    std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace coir
