#include "support/captured_log.hpp"

#include <coir/log.hpp>

#include <string_view>

namespace coir::test {

namespace {

const char* level_name(log_level level) {
    switch (level) {
    case log_level::info: return "[info] ";
    case log_level::warning: return "[warning] ";
    case log_level::error: break;
    }
    return "[error] ";
}

}  // namespace

captured_log::captured_log() {
    set_log([this](log_level level, std::string_view text) {
        const std::lock_guard lock{mutex_};
        text_.append(level_name(level)).append(text).append("\n");
    });
}

captured_log::~captured_log() { set_log(nullptr); }

std::string captured_log::text() const {
    const std::lock_guard lock{mutex_};
    return text_;
}

int captured_log::count(const std::string& part) const {
    const std::string all = text();
    int found = 0;
    for (auto at = all.find(part); at != std::string::npos; at = all.find(part, at + part.size())) ++found;
    return found;
}

}  // namespace coir::test
