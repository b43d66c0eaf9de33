#include "render/location.hpp"

#include <filesystem>
#include <fstream>

namespace detector {

namespace {

constexpr std::size_t excerpt_length = 110;

}  // namespace

coir::detail::source_line some_line(const finding& what, const result& in) {
    if (auto known = nearest_line(what)) return *std::move(known);
    if (!what.stack.empty() && !what.stack.back().module.empty()) return {what.stack.back().module, 1};
    const std::string program = in.program.substr(0, in.program.find(' '));
    return {program.empty() ? "unknown" : program, 1};
}

std::string excerpt_of(const frame& where, const std::string& folder) {
    if (where.file.empty() || where.line <= 0) return {};
    std::ifstream file{where.file};
    if (!file && !folder.empty()) file.open(std::filesystem::path{folder} / where.file);
    std::string line;
    for (int number = 0; number < where.line; ++number) {
        if (!std::getline(file, line)) return {};
    }
    const std::size_t first = line.find_first_not_of(" \t");
    return first == line.npos ? std::string{} : line.substr(first, excerpt_length);
}

}  // namespace detector
