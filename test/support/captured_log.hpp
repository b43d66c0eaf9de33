#pragma once

#include <mutex>
#include <string>

namespace coir::test {

/// During its lifetime, it collects the library's log messages instead of standard error: "[level] text", each followed
/// by a newline. Threads of the library may log concurrently.
class captured_log {
public:
    captured_log();
    ~captured_log();
    captured_log(const captured_log&) = delete;
    captured_log& operator=(const captured_log&) = delete;

    [[nodiscard]] std::string text() const;

    /// How often `part` occurs in the log.
    [[nodiscard]] int count(const std::string& part) const;

private:
    mutable std::mutex mutex_;
    std::string text_;
};

}  // namespace coir::test
