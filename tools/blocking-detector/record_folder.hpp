#pragma once

#include <string>
#include <vector>

namespace detector {

/// A new folder for what a program records: kept in `log_dir`, or a temporary one that is removed with this.
class record_folder {
public:
    /// Throws `usage_error` when it cannot be made.
    explicit record_folder(const std::string& log_dir);
    ~record_folder();
    record_folder(const record_folder&) = delete;
    record_folder& operator=(const record_folder&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    bool is_kept_;
};

/// The record files of a folder and those within it, sorted.
[[nodiscard]] std::vector<std::string> record_files_of(const std::string& folder);

}  // namespace detector
