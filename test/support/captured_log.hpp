#pragma once

#include <mutex>
#include <string>

namespace coir::test {

/// While it lives, what the library logs comes here instead of to standard error: "[level] text", a newline after each.
/// The threads of the library may log meanwhile.
class captured_log {
public:
    captured_log();
    ~captured_log();
    captured_log(const captured_log&) = delete;
    captured_log& operator=(const captured_log&) = delete;

    [[nodiscard]] std::string text() const;

    /// How often `part` stands in it.
    [[nodiscard]] int count(const std::string& part) const;

private:
    mutable std::mutex mutex_;
    std::string text_;
};

}  // namespace coir::test
