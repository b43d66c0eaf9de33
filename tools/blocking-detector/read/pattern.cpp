#include "read/pattern.hpp"

#include "cli/exit_codes.hpp"

#include <array>
#include <regex.h>

namespace detector {

// Not std::regex: it recurses for each character, and a long name of a template would overflow the stack.
struct pattern::compiled {
    explicit compiled(const std::string& text) {
        const int error = ::regcomp(&expression, text.c_str(), REG_EXTENDED | REG_NOSUB);
        if (error == 0) return;
        std::array<char, 128> why;
        ::regerror(error, &expression, why.data(), why.size());
        throw usage_error{"'" + text + "' is not a regular expression: " + why.data()};
    }
    ~compiled() { ::regfree(&expression); }
    compiled(const compiled&) = delete;
    compiled& operator=(const compiled&) = delete;

    regex_t expression{};
};

pattern::pattern(const std::string& text) : compiled_{std::make_shared<const compiled>(text)} {}

bool pattern::matches(const std::string& text) const noexcept {
    return ::regexec(&compiled_->expression, text.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace detector
