#include "cli/exit_codes.hpp"
#include "read/record.hpp"
#include "tool/run_tool.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>

using coir::detail::blocking_event;
using coir::detail::blocking_event_memory;
using coir::detail::blocking_event_table;
using coir::test::scratch_folder;
using detector::record;
using detector::usage_error;

namespace {

/// The record of a program that slept twice at one location and once at another.
std::unique_ptr<blocking_event_memory> sample_memory() {
    auto memory = std::make_unique<blocking_event_memory>();
    memory->magic = blocking_event_memory::magic_now;
    memory->bytes = sizeof(blocking_event_memory);
    memory->pid = 42;
    memory->engine = coir::blocking_engine::trap;
    memory->modules_size = 1;
    memory->modules[0].begin = 0x1000;
    memory->modules[0].end = 0x3000;
    memory->modules[0].bias = 0x1000;
    std::string_view{"/app/server"}.copy(memory->modules[0].path.data(), 100);
    blocking_event_table table{*memory};
    auto seen = std::make_unique<blocking_event>();
    seen->call = std::string_view{"nanosleep"};
    seen->stack.depth = 1;
    seen->stack.frames[0] = reinterpret_cast<const void*>(0x1800);
    table.record(*seen);
    table.record(*seen);
    seen->stack.frames[0] = reinterpret_cast<const void*>(0x1900);
    table.record(*seen);
    return memory;
}

std::string bytes_of(const blocking_event_memory& memory) {
    return {reinterpret_cast<const char*>(&memory), sizeof memory};
}

/// Whether the tool refuses a valid file after `spoil` has changed it.
template <class Spoil> bool refuses(Spoil spoil) {
    const scratch_folder folder;
    const auto memory = sample_memory();
    spoil(*memory);
    try {
        const record read{folder.with("r.coirrec", bytes_of(*memory))};
        return false;
    } catch (const usage_error& refused) {
        return std::string_view{refused.what()}.find("r.coirrec: ") != std::string_view::npos;
    }
}

}  // namespace

TEST_CASE("record: returns what a program has recorded") {
    const scratch_folder folder;
    const std::string path = folder.with("r.coirrec", bytes_of(*sample_memory()));
    CHECK(record::is_one(path));
    const record read{path};
    CHECK(read.pid() == 42);
    CHECK(read.engine() == coir::blocking_engine::trap);
    CHECK_FALSE(read.is_finished());
    CHECK(read.unfinished_call() == nullptr);
    REQUIRE(read.events().size() == 2);
    CHECK(read.events()[0].count == 2);
    CHECK(read.events()[1].count == 1);
    REQUIRE(read.module_at(0x1000) != nullptr);
    CHECK(std::string_view{read.module_at(0x2fff)->path.data()} == "/app/server");
    CHECK(read.module_at(0x3000) == nullptr);
}

TEST_CASE("record: contains the call that a killed process was in, unless the run had ended") {
    const scratch_folder folder;
    const auto memory = sample_memory();
    memory->in_call = 1;
    memory->call.call = std::string_view{"pause"};
    const record killed{folder.with("killed", bytes_of(*memory))};
    REQUIRE(killed.unfinished_call() != nullptr);
    CHECK(killed.unfinished_call()->call.view() == "pause");
    memory->finished = 1;
    CHECK(record{folder.with("finished", bytes_of(*memory))}.unfinished_call() == nullptr);
}

TEST_CASE("record: of two libraries mapped at the same address one after the other, the later one counts") {
    const scratch_folder folder;
    const auto memory = sample_memory();
    memory->modules[1] = memory->modules[0];
    std::string_view{"/app/plug-in"}.copy(memory->modules[1].path.data(), 100);
    memory->modules_size = 2;
    const record read{folder.with("r", bytes_of(*memory))};
    CHECK(std::string_view{read.module_at(0x1000)->path.data()} == "/app/plug-in");
}

TEST_CASE("record: a file without its unused end can be read") {
    const scratch_folder folder;
    const auto memory = sample_memory();
    const auto used = reinterpret_cast<const char*>(&memory->events[2]) - reinterpret_cast<const char*>(memory.get());
    const record read{folder.with("r", bytes_of(*memory).substr(0, static_cast<std::size_t>(used)))};
    CHECK(read.events().size() == 2);
}

TEST_CASE(
    "record: a file that is not a record, has another version, or has offsets outside of it is refused and named") {
    CHECK_FALSE(refuses([](blocking_event_memory&) {}));
    CHECK(refuses([](blocking_event_memory& memory) { memory.magic[7] = '0'; }));
    CHECK(refuses([](blocking_event_memory& memory) { memory.bytes -= 8; }));
    CHECK(refuses([](blocking_event_memory& memory) {
        memory.blocking_events_size = blocking_event_memory::blocking_events_max + 1;
    }));
    CHECK(refuses([](blocking_event_memory& memory) { memory.modules_size = blocking_event_memory::modules_max + 1; }));
    CHECK(refuses([](blocking_event_memory& memory) { memory.events[0].kind = static_cast<coir::blocking_kind>(77); }));
    CHECK(refuses(
        [](blocking_event_memory& memory) { memory.events[1].category = static_cast<coir::blocking_class>(77); }));
    CHECK_THROWS_AS(record{"/no/such/file"}, usage_error);
}

TEST_CASE("record: invalid depths and lengths left by a killed process are limited to the data") {
    const scratch_folder folder;
    const auto memory = sample_memory();
    memory->events[0].stack.depth = 1'000'000;
    memory->events[1].stack.depth = -1;
    memory->events[0].fiber.name_bytes = 1'000'000;
    const record read{folder.with("r", bytes_of(*memory))};
    CHECK(read.events()[0].stack.depth == coir::detail::call_stack::depth_max);
    CHECK(read.events()[1].stack.depth == 0);
    CHECK(read.events()[0].fiber.name().size() == coir::detail::fiber_label::name_max);
}
