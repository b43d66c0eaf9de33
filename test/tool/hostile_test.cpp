// The tool on records and saved findings from an untrusted source.
#include "cli/exit_codes.hpp"
#include "cli/options.hpp"
#include "detect/finding/json.hpp"
#include "read/analysis.hpp"
#include "read/record.hpp"
#include "read/saved.hpp"
#include "render/json.hpp"
#include "render/render.hpp"
#include "render/text.hpp"
#include "support/limits.hpp"
#include "tool/run_tool.hpp"
#include "tool/sample_record.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace coir::test;
using detector::finding;
using detector::result;

namespace {

/// The bytes of a record whose only module is `module`.
std::string record_with_module(const std::string& module) {
    const auto image = sample_record();
    image->add_module(module, 42, "an id").begin = 0;
    return image->bytes();
}

std::string every_format(const result& what) {
    return to_text(what, {.colours = false, .show = coir::blocking_level::note, .source_folder = "."}) + to_json(what) +
           to_json_lines(what) + to_sarif(what) + to_junit(what) + to_github(what) + to_gitlab(what) +
           to_html(what, ".") + to_folded(what);
}

/// Reads the file as the tool does, and writes all formats. What cannot be read is refused.
void report(const std::string& path) {
    try {
        const detector::options asked;
        detector::analysis done{asked};
        if (detector::is_record_file(path)) {
            for (const detector::record& each : detector::read_record_file(path).runs) done.seen().add(each);
        } else {
            done.seen().add(detector::read_saved_findings(path));
        }
        CHECK(every_format(done.finish()).size() < std::size_t{64} << 20);
    } catch (const detector::usage_error& refused) {
        CHECK(std::strlen(refused.what()) < 100'000);
    }
}

template <class Number> Number below(std::mt19937& random, Number end) {
    return std::uniform_int_distribution<Number>{0, end - 1}(random);
}

/// Changes a few bytes, of the first `bytes`.
void mutate(std::string& text, std::size_t bytes, std::mt19937& random) {
    constexpr std::array<std::uint64_t, 8> limits{
        0, 1, ~std::uint64_t{0}, std::uint64_t{1} << 63U, (std::uint64_t{1} << 63U) - 1, 0x7fffffff, 0xffffffff, 0x80};
    for (int changes = 1 + below(random, 4); changes > 0; --changes) {
        const std::size_t at = below(random, bytes);
        switch (below(random, 4)) {
        case 0: text[at] = static_cast<char>(below(random, 256)); break;
        case 1: text[at] = static_cast<char>(text[at] ^ (1 << below(random, 8))); break;
        case 2: {
            const std::uint64_t value = limits[below(random, limits.size())];
            std::memcpy(&text[std::min(at / 8 * 8, bytes - 8)], &value, sizeof value);
            break;
        }
        default:
            // Without an end: strings and lists run into what follows.
            std::memset(&text[at], below(random, 2) == 0 ? 0xff : 'x', std::min(bytes - at, below(random, 300UL)));
        }
    }
    if (below(random, 20) == 0) text.resize(below(random, text.size()));
}

}  // namespace

TEST_CASE("hostile: a module that is no regular file is not opened") {
    const scratch_folder folder;
    const std::string fifo = folder.at("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    for (const std::string& module : {fifo, std::string{"/dev/zero"}, std::string{"/dev/stdin"}, folder.path()}) {
        const tool_ending ended = run_tool({"report", folder.with("r.coirrec", record_with_module(module))});
        CHECK(ended.status == 66);
        CHECK(ended.says("asleep in nanosleep"));
    }
}

TEST_CASE("hostile: a module that is a compressed file is not unpacked") {
    const scratch_folder folder;
    const std::string module = folder.with("module", "\x1f\x8b\x08 is how a file of gzip begins");
    CHECK(run_tool({"report", folder.with("r.coirrec", record_with_module(module))}).status == 66);
}

TEST_CASE("hostile: only source files in the source root are shown") {
    const scratch_folder folder;
    const std::string root = folder.at("root");
    std::filesystem::create_directory(root);
    const std::string inside = folder.with("root/a.cpp", "the statement\n");
    const std::string secret = folder.with("secret", "the secret\n");
    std::filesystem::create_symlink(secret, root + "/link.cpp");
    REQUIRE(::mkfifo((root + "/fifo.cpp").c_str(), 0600) == 0);
    const auto shows = [&](const std::string& file, const std::string& text) {
        finding what = a_sleep();
        what.stack[1].file = file;
        what.stack[1].line = 1;
        const std::string path = folder.with("saved.jsonl", coir::detail::to_json(what));
        const std::string page = folder.at("page.html");
        const tool_ending ended = run_tool({"report", "--source-root", root, "-o", "text", "-o", "html:" + page, path});
        CHECK(ended.status == 66);
        CHECK(ended.says(text) == (content_of(page).find(text) != std::string::npos));
        return ended.says(text);
    };
    CHECK(shows(inside, "the statement"));
    CHECK(shows("a.cpp", "the statement"));
    CHECK_FALSE(shows(secret, "the secret"));
    CHECK_FALSE(shows("../secret", "the secret"));
    CHECK_FALSE(shows(root + "/../secret", "the secret"));
    CHECK_FALSE(shows("link.cpp", "the secret"));
    CHECK_FALSE(shows("fifo.cpp", "the secret"));
}

TEST_CASE("hostile: no format passes on control characters of names") {
    const std::string name = "x\x1b[2J\r\n::error::y\xe2\x80\xae\xc2\x9b<&";
    finding what = a_sleep();
    what.call = what.fiber = what.spawned_at = name;
    what.stack[1].function = what.stack[1].file = what.stack[1].module = name;
    what.suppressed_by = "";
    const scratch_folder folder;
    const std::string saved = folder.with("saved.jsonl", coir::detail::to_json(what));
    for (const char* format : {"text", "json", "jsonl", "sarif", "junit", "github", "gitlab", "html", "folded"}) {
        CAPTURE(format);
        const tool_ending ended = run_tool({"report", "--show", "note", "-o", format, saved});
        CHECK(ended.status == 66);
        CHECK_FALSE(ended.out.empty());
        for (const char* raw : {"\x1b", "\r", "\n::error::y", "\xe2\x80\xae", "\xc2\x9b"}) CHECK_FALSE(ended.says(raw));
    }
    const std::string nothing = folder.with("nothing.json", R"({"version":2,"findings":[]})");
    const tool_ending compared = run_tool({"diff", nothing, saved});
    CHECK(compared.says("new   "));
    CHECK_FALSE(compared.says("\x1b"));
    CHECK_FALSE(compared.says("\n::error::y"));
}

TEST_CASE("hostile: names in a record, and of the file itself, reach no terminal as they are") {
    const scratch_folder folder;
    const auto image = sample_record();
    auto& seen = image->runs[0].events[0];
    constexpr std::string_view name = "x\x1b[2J\n::error::y";
    seen.fiber.name_bytes = name.size();
    std::ranges::copy(name, seen.fiber.bytes.begin());
    std::ranges::copy(std::string_view{"no \x1b[31m"}, image->runs[0].missing.begin());
    image->add_module("/app/\x1b[2Jserver", 42);
    const tool_ending ended = run_tool({"report", folder.with("r\x1b[2J.coirrec", image->bytes())});
    CHECK(ended.says("x\\x1b[2J\\x0a::error::y"));
    CHECK_FALSE(ended.says("\x1b"));
    const tool_ending refused = run_tool({"report", folder.with("bad\x1b[2J", "no record")});
    CHECK(refused.status == 64);
    CHECK_FALSE(refused.complains("\x1b"));
}

TEST_CASE("hostile: no mutation of a record crashes the tool") {
    const auto image = sample_record();
    image->add_module("/no/such/program", 42, "an id");
    image->add_module("/proc/self/exe", 42);
    image->runs[0].in_call = 1;
    image->runs[0].call.call = std::string_view{"pause"};
    image->header.runs_size = 1;
    // Up to the third event, the last byte of which is the last of the file.
    const std::size_t bytes =
        sizeof image->header + offsetof(blocking_event_memory, events) + 2 * sizeof(blocking_event);
    const std::string whole = image->bytes().substr(0, bytes);
    std::mt19937 random{20240614};
    const scratch_folder folder;
    constexpr int mutations = coir::test::sanitized ? 300 : 1000;  // each reads the symbols of this program
    for (int i = 0; i < mutations; ++i) {
        CAPTURE(i);
        std::string text = whole;
        // The list of modules and the events are far larger than what precedes them.
        const std::size_t first = below(random, 2) == 0 ? 1500 : bytes;
        mutate(text, first, random);
        report(folder.with("r.coirrec", text));
    }
}

TEST_CASE("hostile: no mutation of saved findings crashes the tool") {
    std::string whole = to_json_lines(result_of({a_sleep(), a_hog(), a_latent_open(), one_without_place()}));
    const std::array<std::string, 9> values{"-1",
                                            "1e308",
                                            "18446744073709551615",
                                            "null",
                                            "[]",
                                            "{}",
                                            "\"\\u0000\\u001b\"",
                                            "true",
                                            "99999999999999999999"};
    std::mt19937 random{20240614};
    const scratch_folder folder;
    for (int i = 0; i < 2000; ++i) {
        CAPTURE(i);
        std::string text = whole;
        if (i % 2 == 0) {
            mutate(text, text.size(), random);
        } else {
            // Another value for a key.
            const std::size_t colon = text.find(':', below(random, text.size()));
            if (colon == text.npos) continue;
            const std::size_t end = text.find_first_of(",}", colon);
            text.replace(colon + 1, end - colon - 1, values[below(random, values.size())]);
        }
        report(folder.with("saved.jsonl", text));
    }
}

TEST_CASE("hostile: saved findings with endless names, stacks and nesting are refused or cut") {
    const scratch_folder folder;
    finding what = a_sleep();
    what.fiber = std::string(3'000'000, 'f');
    what.stack.insert(what.stack.begin(), 100'000, library_function(std::string(20, 'f')));
    report(folder.with("saved.jsonl", coir::detail::to_json(what)));
    const std::string deep(1'000'000, '[');
    report(folder.with("saved.jsonl", R"({"version":)" + deep + std::string(deep.size(), ']') + R"(,"findings":[]})"));
    report(folder.with("saved.jsonl", deep));
    const tool_ending ended =
        run_tool({"report", "--owner", "(f|g)*h", folder.with("saved.jsonl", coir::detail::to_json(what))});
    CHECK(ended.status == 66);
}
