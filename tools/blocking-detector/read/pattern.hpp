#pragma once

#include <memory>
#include <string>

namespace detector {

/// A regular expression (POSIX extended), which matches anywhere in a text.
class pattern {
public:
    /// Throws `usage_error` for an invalid expression.
    explicit pattern(const std::string& text);

    [[nodiscard]] bool matches(const std::string& text) const noexcept;

private:
    struct compiled;

    std::shared_ptr<const compiled> compiled_;
};

}  // namespace detector
