#include "detect/finding/json.hpp"

#include "detect/calls/classes.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <unistd.h>

namespace coir::detail {

namespace {

std::string json_string(std::string_view text) {
    std::string result = "\"";
    for (const char each : text) {
        const auto code = static_cast<unsigned char>(each);
        if (each == '"' || each == '\\') {
            result += '\\';
            result += each;
        } else if (code < 0x20) {
            std::array<char, 8> escape;
            std::snprintf(escape.data(), escape.size(), "\\u%04x", code);
            result += escape.data();
        } else {
            result += each;
        }
    }
    return result += '"';
}

std::string hex(std::uintptr_t value) {
    std::array<char, 24> text;
    std::snprintf(text.data(), text.size(), "\"0x%zx\"", static_cast<std::size_t>(value));
    return text.data();
}

std::string to_json(const stack_frame& frame) {
    std::string line = "{\"address\":" + hex(reinterpret_cast<std::uintptr_t>(frame.address));
    line += ",\"module\":" + json_string(frame.module);
    line += ",\"offset\":" + hex(frame.offset);
    line += ",\"function\":" + json_string(frame.function);
    line += ",\"file\":" + json_string(frame.file);
    line += ",\"line\":" + std::to_string(frame.line);
    return line += '}';
}

}  // namespace

std::string to_json(const blocking_report& report) {
    std::string line = "{\"kind\":" + json_string(to_string(report.kind));
    line += ",\"class\":" + json_string(to_string(report.category));
    line += ",\"call\":" + json_string(report.call);
    line += ",\"held_ns\":" + std::to_string(report.held.count());
    line += ",\"total_ns\":" + std::to_string(report.total.count());
    line += ",\"count\":" + std::to_string(report.count);
    line += ",\"pid\":" + std::to_string(::getpid());
    line += ",\"fiber_id\":" + std::to_string(report.fiber_id);
    line += ",\"fiber_name\":" + json_string(report.fiber_name);
    line += ",\"spawn_site\":" + json_string(report.spawn_site);
    line += ",\"stack\":[";
    for (const stack_frame& each : report.stack)
        line.append(&each == report.stack.data() ? "" : ",").append(to_json(each));
    return line += "]}";
}

}  // namespace coir::detail
