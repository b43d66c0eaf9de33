#pragma once

#include "read/pattern.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace detector {

/// Where the user's code and the debug information of programs are.
struct code_options {
    std::string source_root = std::filesystem::current_path().string();
    std::optional<pattern> owner;    // matches function, file or module of the user's frames
    std::optional<pattern> ignored;  // frames to remove
    std::vector<std::string> debug_folders;
};

}  // namespace detector
