#include "render/json.hpp"

#include "detect/finding/json.hpp"
#include "read/saved.hpp"

namespace detector {

std::string to_json(const result& what) {
    nlohmann::ordered_json all = head_of_file();
    all["program"] = what.program;
    all["engine"] = what.engine;
    all["notes"] = what.notes;
    all["findings"] = nlohmann::ordered_json::array();
    for (const finding& each : what.findings) all["findings"].push_back(to_object(each));
    return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::string to_json_lines(const result& what) {
    std::string lines;
    for (const finding& each : what.findings) lines += coir::detail::to_json(each) + '\n';
    return lines;
}

}  // namespace detector
