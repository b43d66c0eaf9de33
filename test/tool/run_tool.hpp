#pragma once

#include <string>
#include <vector>

namespace coir::test {

/// The exit status of a program, as a shell reports it, and its output.
struct tool_ending {
    int status = -1;
    std::string out;
    std::string errors;

    [[nodiscard]] bool says(const std::string& text) const { return out.find(text) != std::string::npos; }
    [[nodiscard]] bool complains(const std::string& text) const { return errors.find(text) != std::string::npos; }
};

/// Runs blocking-detector.
tool_ending run_tool(std::vector<std::string> arguments);

/// A temporary folder; the destructor removes it.
class scratch_folder {
public:
    scratch_folder();
    ~scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    /// Creates a file with this content in the folder, and returns its path.
    std::string with(const std::string& name, const std::string& content) const;

    /// The path of a file in the folder that does not exist yet.
    [[nodiscard]] std::string at(const std::string& name) const { return path_ + '/' + name; }

    [[nodiscard]] std::vector<std::string> files() const;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

std::string content_of(const std::string& path);

}  // namespace coir::test
