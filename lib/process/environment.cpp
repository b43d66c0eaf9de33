#include <coir/process/environment.hpp>

#include <system_error>
#include <unistd.h>

namespace coir {

environment::environment(std::initializer_list<std::pair<std::string_view, std::string_view>> variables) {
    for (const auto& [name, value] : variables) set(name, value);
}

environment environment::inherited() {
    environment copy;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view variable{*entry};
        const std::size_t equals = variable.find('=');
        // Skips entries that are not variables. If a name occurs twice, the first wins, as in getenv(3).
        if (equals == variable.npos || equals == 0) continue;
        copy.variables_.emplace(variable.substr(0, equals), variable.substr(equals + 1));
    }
    return copy;
}

environment& environment::set(std::string_view name, std::string_view value) {
    constexpr std::string_view separators{"=\0", 2};
    if (name.empty() || name.find_first_of(separators) != name.npos || value.find('\0') != value.npos) {
        throw std::system_error{std::make_error_code(std::errc::invalid_argument),
                                "environment::set '" + std::string{name} +
                                    "': the name must not be empty or contain '=' or NUL, the value must not "
                                    "contain NUL"};
    }
    variables_.insert_or_assign(std::string{name}, value);
    return *this;
}

environment& environment::unset(std::string_view name) {
    if (const auto found = variables_.find(name); found != variables_.end()) variables_.erase(found);
    return *this;
}

}  // namespace coir
