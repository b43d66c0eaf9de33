#include "render/location.hpp"

namespace detector {

coir::detail::source_line some_line(const finding& what, const result& in) {
    if (auto known = nearest_line(what)) return *std::move(known);
    if (!what.stack.empty() && !what.stack.back().module.empty()) return {what.stack.back().module, 1};
    const std::string program = in.program.substr(0, in.program.find(' '));
    return {program.empty() ? "unknown" : program, 1};
}

}  // namespace detector
