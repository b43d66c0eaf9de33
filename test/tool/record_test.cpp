#include "cli/exit_codes.hpp"
#include "read/record.hpp"
#include "tool/run_tool.hpp"
#include "tool/sample_record.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using coir::detail::blocking_event_memory;
using coir::detail::record_header;
using coir::detail::recorded_module;
using coir::detail::run_state;
using coir::test::file_image;
using coir::test::sample_record;
using coir::test::scratch_folder;
using detector::read_record_file;
using detector::record;
using detector::record_file;
using detector::usage_error;

namespace {

record_file read_image(const file_image& image) {
    const scratch_folder folder;
    return read_record_file(folder.with("r.coirrec", image.bytes()));
}

/// Whether the tool refuses a valid file after `spoil` has changed it.
template <class Spoil> bool refuses(Spoil spoil) {
    const auto image = sample_record();
    spoil(*image);
    try {
        (void)read_image(*image);
        return false;
    } catch (const usage_error& refused) {
        return std::string_view{refused.what()}.find("r.coirrec: ") != std::string_view::npos;
    }
}

}  // namespace

TEST_CASE("record: returns what a program has recorded") {
    const auto image = sample_record();
    image->add_module("/app/server", 42);
    const scratch_folder folder;
    const std::string path = folder.with("r.coirrec", image->bytes());
    CHECK(detector::is_record_file(path));
    const record_file file = read_record_file(path);
    CHECK(file.pid == 42);
    CHECK(file.began == 7);
    REQUIRE(file.runs.size() == 1);
    const record& run = file.runs.front();
    CHECK(run.pid() == 42);
    CHECK(run.engine() == coir::blocking_engine::trap);
    CHECK_FALSE(run.is_finished());
    CHECK(run.unfinished_call() == nullptr);
    REQUIRE(run.events().size() == 2);
    CHECK(run.events()[0].count == 2);
    CHECK(run.events()[1].count == 1);
    REQUIRE(run.module_at(0x1000) != nullptr);
    CHECK(run.module_at(0x2fff)->path == "/app/server");
    CHECK(run.module_at(0x3000) == nullptr);
}

TEST_CASE("record: what a run has left out is counted, the errors by themselves") {
    const auto image = sample_record();
    image->runs[0].left_out_errors = 2;
    image->runs[0].left_out_others = 3;
    image->header.runs_left_out = 4;
    const record_file file = read_image(*image);
    CHECK(file.runs.front().left_out_errors() == 2);
    CHECK(file.runs.front().left_out() == 5);
    CHECK(file.runs_left_out == 4);
}

TEST_CASE("record: a run is finished when it ended in order, also while another run is merged into it") {
    for (const run_state state : {run_state::ended, run_state::merging}) {
        const auto image = sample_record();
        image->header.states[0] = state;
        CHECK(read_image(*image).runs.front().is_finished());
    }
    const auto image = sample_record();
    image->header.states[0] = run_state::free;
    CHECK(read_image(*image).runs.empty());
}

TEST_CASE("record: contains the call that a killed process was in, unless the run had ended") {
    const auto image = sample_record();
    image->runs[0].in_call = 1;
    image->runs[0].call.call = std::string_view{"pause"};
    const record_file killed = read_image(*image);
    REQUIRE(killed.runs.front().unfinished_call() != nullptr);
    CHECK(killed.runs.front().unfinished_call()->call.view() == "pause");
    image->runs[0].call.call = std::string_view{"execve"};  // the process became another program
    CHECK(read_image(*image).runs.front().unfinished_call() == nullptr);
    image->runs[0].call.call = std::string_view{"pause"};
    image->runs[0].finished = 1;
    CHECK(read_image(*image).runs.front().unfinished_call() == nullptr);
}

TEST_CASE("record: of two libraries mapped at the same address one after the other, the later one counts") {
    const auto image = sample_record();
    image->add_module("/app/server", 42);
    image->add_module("/app/plug-in", 42);
    CHECK(read_image(*image).runs.front().module_at(0x1000)->path == "/app/plug-in");
}

TEST_CASE("record: of two libraries that two processes have at one address, each process has its own") {
    const auto image = sample_record();
    image->add_module("/app/mine", 42);
    image->add_module("/app/of_my_child", 43);
    CHECK(read_image(*image).runs.front().module_at(0x1000)->path == "/app/mine");
    image->runs[0].pid = 44;  // has loaded neither itself
    CHECK(read_image(*image).runs.front().module_at(0x1000) != nullptr);
}

TEST_CASE("record: an incomplete entry of a module is skipped") {
    const auto image = sample_record();
    recorded_module& cut = image->add_module("/app/killed_while_it_wrote_this", 42);
    image->add_module("/app/server", 42);
    cut.mark = 0;
    CHECK(read_image(*image).runs.front().module_at(0x1000)->path == "/app/server");
}

TEST_CASE("record: a module whose file has another build id now has no file, and is named") {
    const auto image = sample_record();
    image->add_module("/proc/self/exe", 42, "not its id");
    const record_file file = read_image(*image);
    CHECK(file.rebuilt == std::vector<std::string>{"/proc/self/exe"});
    CHECK(file.runs.front().module_at(0x1000)->path == "/proc/self/exe (rebuilt since)");
    const auto unknown = sample_record();
    unknown->add_module("/proc/self/exe", 42);
    CHECK(read_image(*unknown).rebuilt.empty());
    const auto gone = sample_record();
    gone->add_module("/no/such/file", 42, "an id");
    CHECK(read_image(*gone).rebuilt.empty());
}

TEST_CASE("record: a file without its unused end can be read") {
    const scratch_folder folder;
    const auto image = sample_record();
    const auto used =
        reinterpret_cast<const char*>(&image->runs[0].events[2]) - reinterpret_cast<const char*>(image.get());
    const std::string bytes = image->bytes();
    CHECK(read_record_file(folder.with("r", bytes.substr(0, static_cast<std::size_t>(used)))).runs.size() == 1);
    for (const std::size_t cut : {used - 1, used / 2, 100L, 8L, 7L, 0L}) {
        CHECK_THROWS_AS((void)read_record_file(folder.with("r", bytes.substr(0, cut))), usage_error);
    }
}

TEST_CASE(
    "record: a file that is not a record, has another version, or has offsets outside of it is refused and named") {
    CHECK_FALSE(refuses([](file_image&) {}));
    CHECK(refuses([](file_image& image) { image.header.magic[0] = 'x'; }));
    CHECK(refuses([](file_image& image) { image.header.magic[7] = '1'; }));
    CHECK(refuses([](file_image& image) { image.header.header_bytes -= 8; }));
    CHECK(refuses([](file_image& image) { image.header.run_bytes -= 8; }));
    CHECK(refuses([](file_image& image) { image.header.event_bytes -= 8; }));
    CHECK(refuses([](file_image& image) { image.header.runs_size = record_header::runs_max + 1; }));
    CHECK(refuses([](file_image& image) {
        image.runs[0].blocking_events_size = blocking_event_memory::blocking_events_max + 1;
    }));
    CHECK(refuses([](file_image& image) { image.runs[0].events[0].kind = static_cast<coir::blocking_kind>(77); }));
    CHECK(refuses([](file_image& image) { image.runs[0].events[1].category = static_cast<coir::blocking_class>(77); }));
    CHECK(refuses([](file_image& image) {
        image.header.runs_size = 3;  // the file ends before it
        image.header.states[2] = run_state::live;
    }));
    CHECK_THROWS_AS((void)read_record_file("/no/such/file"), usage_error);
}

TEST_CASE("record: invalid depths and lengths left by a killed process are limited to the data") {
    const auto image = sample_record();
    blocking_event_memory& run = image->runs[0];
    run.events[0].stack.depth = 1'000'000;
    run.events[1].stack.depth = -1;
    run.events[0].fiber.name_bytes = 1'000'000;
    image->header.modules_used = 1'000'000;
    const record_file file = read_image(*image);
    const auto events = file.runs.front().events();
    CHECK(events[0].stack.depth == coir::detail::call_stack::depth_max);
    CHECK(events[1].stack.depth == 0);
    CHECK(events[0].fiber.name().size() == coir::detail::fiber_label::name_max);
}
