#pragma once

#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace coir::test {

/// While it lives, what the library logs comes here instead of to the terminal, a line each: "[level] text". The
/// threads of the library may log meanwhile.
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
    class lines;

    std::shared_ptr<lines> lines_;
    std::shared_ptr<spdlog::logger> before_;
};

}  // namespace coir::test
