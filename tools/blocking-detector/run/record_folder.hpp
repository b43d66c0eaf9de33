#pragma once

#include <string>
#include <vector>

namespace detector {

/// A new folder for the record files of a program, inside `log_dir`. With an empty `log_dir`, a temporary folder that
/// the destructor removes. Processes that still run keep their files, which have no names then.
///
/// The folder of root lets all users in who know its name, as a program may give up its privileges and then start
/// another one.
class record_folder {
public:
    /// Throws `usage_error` when the folder cannot be created.
    explicit record_folder(const std::string& log_dir);
    ~record_folder();
    record_folder(const record_folder&) = delete;
    record_folder& operator=(const record_folder&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string root_;  // removed in the end
    std::string path_;
    bool is_kept_;
};

/// The paths of the record files in a folder and its subfolders, sorted. Throws `usage_error`.
[[nodiscard]] std::vector<std::string> record_files_of(const std::string& folder);

}  // namespace detector
