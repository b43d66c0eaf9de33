#include "run/process_tree.hpp"

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace detector {

namespace {

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children;
    std::error_code gone;
    const std::filesystem::path threads = "/proc/" + std::to_string(parent) + "/task";
    for (std::filesystem::directory_iterator each{threads, gone}, end; !gone && each != end; each.increment(gone)) {
        std::ifstream list{each->path() / "children"};
        for (pid_t child = 0; list >> child;) children.push_back(child);
    }
    return children;
}

}  // namespace

void kill_descendants(pid_t of) {
    for (const pid_t each : children_of(of)) {
        ::kill(each, SIGSTOP);  // so that it starts no more processes during the search for its children
        kill_descendants(each);
        ::kill(each, SIGKILL);
    }
}

std::vector<pid_t> descendants_of(pid_t process) {
    std::vector<pid_t> all = children_of(process);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::vector<pid_t> more = children_of(all[i]);
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

}  // namespace detector
