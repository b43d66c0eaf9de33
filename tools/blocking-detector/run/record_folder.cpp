#include "run/record_folder.hpp"

#include "cli/exit_codes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace detector {

namespace fs = std::filesystem;

namespace {

fs::path parent_folder(const std::string& log_dir) {
    if (log_dir.empty()) return fs::temp_directory_path();
    fs::create_directories(log_dir);
    return fs::absolute(log_dir);
}

}  // namespace

record_folder::record_folder(const std::string& log_dir) try : is_kept_{!log_dir.empty()} {
    // A new folder inside `log_dir` too: record files are named after process ids, which repeat in containers.
    path_ = parent_folder(log_dir) / "coir-run-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw usage_error{path_ + ": " + std::generic_category().message(errno)};
} catch (const fs::filesystem_error& failure) {
    throw usage_error{std::string{"cannot create a folder for record files: "} + failure.what()};
}

record_folder::~record_folder() {
    std::error_code gone;
    if (!is_kept_) fs::remove_all(path_, gone);
}

std::vector<std::string> record_files_of(const std::string& folder) try {
    std::vector<std::string> files;
    for (const fs::directory_entry& each : fs::recursive_directory_iterator{folder}) {
        if (each.is_regular_file() && each.path().extension() == ".coirrec") files.push_back(each.path().string());
    }
    std::ranges::sort(files);
    return files;
} catch (const fs::filesystem_error& failure) {
    throw usage_error{failure.what()};
}

}  // namespace detector
