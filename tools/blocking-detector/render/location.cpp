#include "render/location.hpp"

#include "base/printable.hpp"
#include "base/read_file.hpp"
#include "detect/finding/identity.hpp"

#include <filesystem>
#include <sstream>
#include <system_error>

namespace detector {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t excerpt_length = 110;

/// The file itself, without symbolic links, if it is in the folder; otherwise empty.
fs::path inside(const fs::path& folder, const fs::path& file) {
    std::error_code absent;
    const fs::path root = fs::canonical(folder, absent);
    const fs::path found = absent ? fs::path{} : fs::canonical(file, absent);
    if (absent) return {};
    const fs::path within = found.lexically_relative(root);
    return within.empty() || *within.begin() == ".." ? fs::path{} : found;
}

}  // namespace

coir::detail::source_line some_line(const finding& what, const result& in) {
    if (auto known = nearest_line(what)) return *std::move(known);
    if (!what.stack.empty() && !what.stack.back().module.empty()) return {what.stack.back().module, 1};
    const std::string program = in.program.substr(0, in.program.find(' '));
    return {program.empty() ? "unknown" : program, 1};
}

std::string excerpt_of(const frame& where, const std::string& folder) {
    if (where.file.empty() || where.line <= 0 || folder.empty()) return {};
    fs::path file = inside(folder, where.file);
    if (file.empty()) file = inside(folder, fs::path{folder} / where.file);
    if (file.empty()) return {};
    std::istringstream text{
        coir::detail::read_regular_file(file.string(), coir::detail::source_file_bytes_max).value_or("")};
    std::string line;
    for (int number = 0; number < where.line; ++number) {
        if (!std::getline(text, line)) return {};
    }
    const std::size_t first = line.find_first_not_of(" \t");
    return first == line.npos ? std::string{} : coir::detail::printable(line.substr(first, excerpt_length));
}

}  // namespace detector
