#pragma once

#include "detect/record/record_format.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace coir::test {

using detail::blocking_event;
using detail::blocking_event_memory;
using detail::blocking_event_table;
using detail::record_header;
using detail::recorded_module;
using detail::run_state;

/// A record file, in memory.
struct file_image {
    record_header header;
    std::array<blocking_event_memory, 2> runs;

    [[nodiscard]] std::string bytes() const { return {reinterpret_cast<const char*>(this), sizeof *this}; }

    recorded_module& add_module(std::string_view path, int pid, std::string_view build_id = {}) {
        auto* const made = reinterpret_cast<recorded_module*>(&header.modules[header.modules_used]);
        made->mark = recorded_module::mark_now;
        made->bytes = static_cast<std::uint32_t>((sizeof(recorded_module) + path.size() + 8) / 8 * 8);
        made->begin = 0x1000;
        made->end = 0x3000;
        made->bias = 0x1000;
        made->pid = pid;
        made->build_id_bytes = static_cast<std::uint8_t>(build_id.size());
        std::ranges::copy(build_id, made->build_id.begin());
        path.copy(reinterpret_cast<char*>(made + 1), path.size());
        header.modules_used += made->bytes;
        return *made;
    }
};

/// The record of a program that slept twice at one location and once at another.
inline std::unique_ptr<file_image> sample_record() {
    auto made = std::make_unique<file_image>();
    record_header& header = made->header;
    header.magic = record_header::magic_now;
    header.header_bytes = sizeof(record_header);
    header.run_bytes = sizeof(blocking_event_memory);
    header.event_bytes = sizeof(blocking_event);
    header.runs_size = 2;
    header.pid = 42;
    header.began = 7;
    header.states[0] = run_state::live;
    blocking_event_memory& run = made->runs[0];
    run.pid = 42;
    run.engine = coir::blocking_engine::trap;
    blocking_event_table table{run};
    auto seen = std::make_unique<blocking_event>();
    seen->call = std::string_view{"nanosleep"};
    seen->stack.depth = 1;
    seen->stack.frames[0] = reinterpret_cast<const void*>(0x1800);
    table.record(*seen);
    table.record(*seen);
    seen->stack.frames[0] = reinterpret_cast<const void*>(0x1900);
    table.record(*seen);
    return made;
}

}  // namespace coir::test
