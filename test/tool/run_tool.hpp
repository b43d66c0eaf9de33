#pragma once

#include <string>
#include <vector>

namespace coir::test {

/// How a program ended, as a shell says it, and what it wrote.
struct tool_ending {
    int status = -1;
    std::string out;
    std::string errors;

    [[nodiscard]] bool says(const std::string& text) const { return out.find(text) != std::string::npos; }
    [[nodiscard]] bool complains(const std::string& text) const { return errors.find(text) != std::string::npos; }
};

/// Runs blocking-detector.
tool_ending run_tool(std::vector<std::string> arguments);

/// A folder that is removed with this.
class scratch_folder {
public:
    scratch_folder();
    ~scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    /// The path of a file in it, made with that content.
    std::string with(const std::string& name, const std::string& content) const;

    /// The path of a file that is not there yet.
    [[nodiscard]] std::string at(const std::string& name) const { return path_ + '/' + name; }

    [[nodiscard]] std::vector<std::string> files() const;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

std::string content_of(const std::string& path);

}  // namespace coir::test
