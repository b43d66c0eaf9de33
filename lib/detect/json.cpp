#include "detect/json.hpp"

#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "detect/classes.hpp"

namespace coir::detail {

namespace {

std::string quoted(std::string_view text) {
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
    line += ",\"module\":" + quoted(frame.module);
    line += ",\"offset\":" + hex(frame.offset);
    line += ",\"function\":" + quoted(frame.function);
    line += ",\"file\":" + quoted(frame.file);
    line += ",\"line\":" + std::to_string(frame.line);
    return line += '}';
}

}  // namespace

std::string to_json(const blocking_report& report) {
    std::string line = "{\"kind\":" + quoted(name_of(report.kind));
    line += ",\"class\":" + quoted(name_of(report.category));
    line += ",\"call\":" + quoted(report.call);
    line += ",\"held_ns\":" + std::to_string(report.held.count());
    line += ",\"total_ns\":" + std::to_string(report.total.count());
    line += ",\"count\":" + std::to_string(report.count);
    line += ",\"pid\":" + std::to_string(::getpid());
    line += ",\"fiber_id\":" + std::to_string(report.fiber_id);
    line += ",\"fiber_name\":" + quoted(report.fiber_name);
    line += ",\"spawn_site\":" + quoted(report.spawn_site);
    line += ",\"stack\":[";
    for (const stack_frame& each : report.stack)
        line.append(&each == report.stack.data() ? "" : ",").append(to_json(each));
    return line += "]}";
}

}  // namespace coir::detail
