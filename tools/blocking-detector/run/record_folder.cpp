#include "run/record_folder.hpp"

#include "cli/exit_codes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace detector {

namespace fs = std::filesystem;

namespace {

fs::path parent_folder(const std::string& log_dir) {
    if (log_dir.empty()) return fs::temp_directory_path();
    fs::create_directories(log_dir);
    return fs::absolute(log_dir);
}

std::string new_folder(std::string pattern) {
    if (::mkdtemp(pattern.data()) == nullptr)
        throw usage_error{pattern + ": " + std::generic_category().message(errno)};
    return pattern;
}

}  // namespace

record_folder::record_folder(const std::string& log_dir) try : is_kept_{!log_dir.empty()} {
    // A new folder inside `log_dir` too: the records of several runs of the tool are told apart.
    root_ = new_folder(parent_folder(log_dir) / "coir-run-XXXXXX");
    path_ = root_;
    if (::geteuid() != 0) return;
    // The name of the inner folder is the secret: the outer one cannot be listed.
    path_ = new_folder(root_ + "/XXXXXX");
    ::chmod(root_.c_str(), 0711);
    ::chmod(path_.c_str(), 01733);
} catch (const fs::filesystem_error& failure) {
    throw usage_error{std::string{"cannot create a folder for record files: "} + failure.what()};
}

record_folder::~record_folder() {
    std::error_code gone;
    if (!is_kept_) fs::remove_all(root_, gone);
}

std::vector<std::string> record_files_of(const std::string& folder) try {
    std::vector<std::string> files;
    for (const fs::directory_entry& each : fs::recursive_directory_iterator{folder}) {
        if (each.symlink_status().type() == fs::file_type::regular && each.path().extension() == ".coirrec")
            files.push_back(each.path().string());
    }
    std::ranges::sort(files);
    return files;
} catch (const fs::filesystem_error& failure) {
    throw usage_error{failure.what()};
}

}  // namespace detector
