#include "tool/run_tool.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::test {

tool_ending run_tool(std::vector<std::string> arguments) {
    const scratch_folder said;
    const std::string out = said.at("out");
    const std::string errors = said.at("errors");
    arguments.insert(arguments.begin(), DETECTOR);
    std::vector<char*> words;
    for (std::string& each : arguments) words.push_back(each.data());
    words.push_back(nullptr);

    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDOUT_FILENO);
        ::dup2(::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
        ::execv(words.front(), words.data());
        ::_exit(99);
    }
    int how = 0;
    ::waitpid(child, &how, 0);
    return {WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how), content_of(out), content_of(errors)};
}

scratch_folder::scratch_folder() : path_{std::filesystem::temp_directory_path() / "coir-test-XXXXXX"} {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
}

scratch_folder::~scratch_folder() {
    std::error_code gone;
    std::filesystem::remove_all(path_, gone);
}

std::string scratch_folder::with(const std::string& name, const std::string& content) const {
    std::ofstream{at(name), std::ios::binary} << content;
    return at(name);
}

std::vector<std::string> scratch_folder::files() const {
    std::vector<std::string> names;
    for (const auto& each : std::filesystem::directory_iterator{path_}) names.push_back(each.path().filename());
    std::ranges::sort(names);
    return names;
}

std::string content_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace coir::test
