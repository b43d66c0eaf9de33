#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace coir::test {

/// The number of threads of this process with this name.
inline int threads_called(const std::string& name) {
    int found = 0;
    for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::string its;
        std::getline(std::ifstream{thread.path() / "comm"}, its);
        found += its == name ? 1 : 0;
    }
    return found;
}

}  // namespace coir::test
