// Runs the tool, as its users do, on a program that blocks.
#include "support/limits.hpp"
#include "tool/run_tool.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using coir::test::content_of;
using coir::test::run_tool;
using coir::test::scratch_folder;
using coir::test::tool_ending;
using nlohmann::json;

namespace {

/// Runs the program under the tool, with options for the tool before `--`.
tool_ending detect(std::vector<std::string> options, const std::vector<std::string>& program) {
    options.insert(options.begin(), "run");
    options.emplace_back("--");
    options.insert(options.end(), program.begin(), program.end());
    return run_tool(std::move(options));
}

/// The findings of a run for this call.
std::vector<json> findings_in(const json& all, const std::string& function) {
    std::vector<json> found;
    std::ranges::copy_if(all.at("findings"), std::back_inserter(found), [&](const json& each) {
        return each.at("kind") != "latent" && each.at("stack").dump().find(function) != std::string::npos;
    });
    return found;
}

json json_of(const tool_ending& ending) { return json::parse(ending.out); }

bool has_lines() { return !findings_in(json_of(detect({"-o", "json"}, {BLOCKERS, "load"})), "blockers.cpp").empty(); }

}  // namespace

TEST_CASE("run: a blocking call is found with the user's line, the fiber, the class and the complete stack") {
    const tool_ending ending = detect({"-o", "json"}, {BLOCKERS, "load"});
    CHECK(ending.status == 66);
    const json all = json_of(ending);
    CHECK(all.at("version") == 2);
    CHECK(all.at("tool").get<std::string>().starts_with("blocking-detector "));
    CHECK(all.at("program") == std::string{BLOCKERS} + " load");
    const std::vector<json> found = findings_in(all, "shop::cache");
    REQUIRE(found.size() == 1);
    const json& one = found.front();
    CHECK(one.at("kind") == "blocked");
    CHECK(one.at("class") == "sleep");
    CHECK(one.at("count") == 1);
    CHECK(one.at("total_ms") >= 20);
    CHECK(one.at("max_ms") >= 20);
    CHECK(one.at("fibers_ran_ms") >= 20);
    CHECK(one.at("fiber") == "worker");
    CHECK(one.at("suppressed_by") == "");
    CHECK(one.at("fingerprint").get<std::string>().size() == 16);
    CHECK(one.at("location").at("function").get<std::string>().find("refresh") != std::string::npos);
    if (!has_lines()) return;
    CHECK(one.at("location").at("file").get<std::string>().ends_with("blockers.cpp"));
    CHECK(one.at("spawned_at").get<std::string>().find("blockers.cpp:") != std::string::npos);
}

TEST_CASE("run: repeated blocking at one location is one finding, also over several runs of coir") {
    const json all = json_of(detect({"-o", "json"}, {BLOCKERS, "load", "load", "load"}));
    const std::vector<json> found = findings_in(all, "shop::cache");
    REQUIRE(found.size() == 1);
    CHECK(found.front().at("count") == 3);
    CHECK(found.front().at("total_ms") >= 60);
}

TEST_CASE("run: a fiber with a long computation is a hog" * doctest::skip(!coir::test::hogs_have_stacks)) {
    const json all = json_of(detect({"-o", "json", "--stall-threshold", "20ms"}, {BLOCKERS, "compute"}));
    const std::vector<json> found = findings_in(all, "compute");
    REQUIRE_FALSE(found.empty());
    CHECK(found.front().at("kind") == "hog");
    CHECK(found.front().at("class") == "cpu");
}

TEST_CASE("run: a failing program's exit status is kept, and otherwise 66 signals findings") {
    CHECK(detect({}, {BLOCKERS}).status == 0);
    CHECK(detect({}, {BLOCKERS, "load"}).status == 66);
    CHECK(detect({}, {BLOCKERS, "load", "fail"}).status == 3);
    CHECK(detect({"--fail-on", "none"}, {BLOCKERS, "load"}).status == 0);
}

TEST_CASE("run: findings are reported even if the program was killed or called _exit") {
    const tool_ending killed = detect({}, {BLOCKERS, "load", "killed"});
    CHECK(killed.status == 128 + 9);
    CHECK(killed.says("fiber \"worker\""));
    CHECK(killed.says("(sleep)"));
    const tool_ending left = detect({}, {BLOCKERS, "load", "leave"});
    CHECK(left.status == 66);
    CHECK(left.says("(sleep)"));
}

TEST_CASE("run: after the timeout the program is ended, and the call that it was in is reported") {
    const tool_ending ending = detect({"--timeout", "1s"}, {BLOCKERS, "wait"});
    CHECK(ending.status == 124);
    CHECK(ending.says("so far, asleep in pause"));
    CHECK(ending.says("the program was stopped after --timeout"));
}

TEST_CASE("run: a program that ignores SIGTERM is killed, with its child processes") {
    const tool_ending ending = detect({"--timeout", "0.2s"}, {"sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"});
    CHECK(ending.status == 124);
}

TEST_CASE("run: a signal to the tool is forwarded to the program, and the report is still written") {
    const std::string once = "trap 'exit 5' INT; kill -INT $PPID; while :; do sleep 0.05; done";
    const tool_ending ending = detect({}, {"sh", "-c", once});
    CHECK(ending.status == 5);
    CHECK(ending.says("blocking-detector: "));
    CHECK(detect({}, {"sh", "-c", "kill -TERM $PPID; while :; do sleep 0.05; done"}).status == 128 + 15);
}

TEST_CASE("run: child processes of the program are examined, and only mentioned with --no-follow-forks") {
    for (const std::vector<std::string>& options : {std::vector<std::string>{}, {"--follow-forks"}}) {
        const tool_ending all = detect(options, {BLOCKERS, "fork"});
        CHECK(all.says("(process)"));
        CHECK(all.says("(sleep)"));
        CHECK(all.errors.empty());
    }
    const tool_ending alone = detect({"--no-follow-forks"}, {BLOCKERS, "fork"});
    CHECK(alone.says("(process)"));
    CHECK_FALSE(alone.says("(sleep)"));
    CHECK(alone.says("not reported: 1 run of coir in child processes"));
}

TEST_CASE("run: a stripped program gives addresses in its file, and lines if its debug information is available") {
    const tool_ending bare = detect({}, {BLOCKERS_STRIPPED, "load"});
    CHECK(bare.status == 66);
    CHECK(bare.says("blockers+0x"));
    if (!has_lines()) return;
    const tool_ending with_debug_file = detect({"--debug-dir", BLOCKERS_DEBUG}, {BLOCKERS_STRIPPED, "load"});
    CHECK(with_debug_file.says("blockers.cpp:"));
    CHECK(with_debug_file.says("shop::cache"));
}

TEST_CASE(
    "run: split, compressed and older debug information, LTO and clang++ have lines, in the tool and in the log") {
    if (!has_lines()) return;
    std::istringstream variants{BLOCKERS_VARIANTS};
    for (std::string program; variants >> program;) {
        INFO(program);
        const tool_ending ending = detect({"-o", "json"}, {program, "load"});
        const std::vector<json> found = findings_in(json_of(ending), "shop::cache");
        REQUIRE(found.size() == 1);
        CHECK(found.front().at("location").at("file").get<std::string>().ends_with("blockers.cpp"));
        CHECK(found.front().at("location").at("line") == 19);
        CHECK(found.front().at("stack").dump().find("::{lambda at blockers.cpp:") != std::string::npos);
        const scratch_folder folder;
        const std::string log = folder.at("log");
        CHECK(detect({"-q"}, {"sh", "-c", "unset COIR_BLOCKING_RECORDS; " + program + " load 2>" + log}).status >= 0);
        CHECK(content_of(log).find("blockers.cpp:19") != std::string::npos);
    }
}

TEST_CASE("run: works with a static program") {
    const std::string program = BLOCKERS_STATIC;
    if (program.empty()) return;
    const tool_ending ending = detect({}, {program, "load", "report"});
    CHECK(ending.status == 66);
    CHECK(ending.says("shop::cache"));
    CHECK(ending.says("shop::block"));
}

TEST_CASE("run: a suppression removes a finding from the exit status, is counted, and is reported if unused") {
    const scratch_folder folder;
    const std::string rules = folder.with("rules", "call-stack-contains:shop::cache reason=ticket 7\nclass:lock\n");
    const tool_ending ending = detect({"--suppressions", rules}, {BLOCKERS, "load", "load"});
    CHECK(ending.status == 0);
    CHECK(ending.says("suppressed 2 times by " + rules + ":1: call-stack-contains:shop::cache (ticket 7)"));
    CHECK(ending.says("unused suppression: " + rules + ":2: class:lock"));
    CHECK(ending.says("1 suppressed"));
    CHECK(detect({"--suppressions", rules, "--unused-suppressions", "error"}, {BLOCKERS, "load"}).status == 66);
    CHECK_FALSE(detect({"--suppressions", rules, "--unused-suppressions", "off"}, {BLOCKERS, "load"}).says("unused"));
    CHECK(detect({"--suppressions", rules}, {BLOCKERS, "load", "report"}).status == 66);
}

TEST_CASE("run: findings in the baseline are known, and only new ones count") {
    const scratch_folder folder;
    const std::string baseline = folder.at("baseline.json");
    CHECK(detect({"--write-baseline", baseline}, {BLOCKERS, "load"}).status == 0);
    CHECK(detect({"--baseline", baseline}, {BLOCKERS, "load"}).status == 0);
    CHECK(detect({"--baseline", baseline}, {BLOCKERS, "load", "report"}).status == 66);
    const json all = json_of(detect({"--baseline", baseline, "-o", "json"}, {BLOCKERS, "load"}));
    REQUIRE_FALSE(findings_in(all, "shop::cache").empty());
    CHECK(findings_in(all, "shop::cache").front().at("suppressed_by") == "baseline");
}

TEST_CASE("run: an unreadable or invalid suppression file or baseline is an error, and the program is not run") {
    const scratch_folder folder;
    const std::string no_rule = folder.with("rules", "class:disk\nclas:disk\n");
    const std::string no_json = folder.with("baseline", "{\"version\": 2, \"findings\": 7}");
    const std::vector<std::string> touch{"touch", folder.at("was run")};
    const tool_ending malformed = detect({"--suppressions", no_rule}, touch);
    CHECK(malformed.status == 64);
    CHECK(malformed.complains(no_rule + ":2: 'clas:disk' is not a rule"));
    const tool_ending missing = detect({"--suppressions", folder.at("none")}, touch);
    CHECK(missing.status == 64);
    CHECK(missing.complains(folder.at("none") + ": No such file"));
    CHECK(detect({"--suppressions", folder.path()}, touch).status == 64);
    const tool_ending baseline = detect({"--baseline", no_json}, touch);
    CHECK(baseline.status == 64);
    CHECK(baseline.complains(no_json));
    CHECK(detect({"--baseline", folder.at("none")}, touch).status == 64);
    CHECK(detect({"-o", "json:" + folder.at("no/folder")}, touch).status == 64);
    CHECK(folder.files() == std::vector<std::string>{"baseline", "rules"});
}

TEST_CASE("run: a program that cannot be started, and one that never runs coir, are reported") {
    CHECK(detect({}, {"/no/such/program"}).status == 127);
    CHECK(detect({}, {"/"}).status == 126);
    CHECK(detect({"--require-engine", "hooks", "--engine", "watch"}, {BLOCKERS}).status == 69);
    CHECK(detect({"--require-engine", "hooks", "--engine", "hooks"}, {BLOCKERS}).status == 0);
}

TEST_CASE("run: it is an error of its own that nothing was looked at, unless that is permitted") {
    const tool_ending other = detect({}, {"true"});
    CHECK(other.status == 69);
    CHECK(other.says("no run of coir was recorded"));
    CHECK(other.says("nothing was looked at: no process that was started contains coir"));
    const tool_ending no_run = detect({}, {CHANGING});
    CHECK(no_run.status == 69);
    CHECK(no_run.says("never called coir::run"));
    const tool_ending left_out = detect({"--no-follow-forks"}, {CHANGING, "fork", "sleep"});
    CHECK(left_out.status == 69);
    CHECK(left_out.says("--no-follow-forks leaves out"));
    CHECK(detect({"--require-engine", "hooks"}, {"true"}).status == 69);
    CHECK(detect({"--allow-empty"}, {"true"}).status == 0);
    CHECK(detect({}, {CHANGING, "nothing"}).status == 0);
}

TEST_CASE("run: the failure of the program comes before findings, and findings before what was not looked at") {
    CHECK(detect({}, {"false"}).status == 1);
    CHECK(detect({}, {"sh", "-c", "kill -9 $$"}).status == 128 + 9);
    CHECK(detect({"--timeout", "0.1s"}, {"sleep", "1000"}).status == 124);
    CHECK(detect({"--require-engine", "trap", "--engine", "hooks"}, {BLOCKERS, "load"}).status == 66);
}

TEST_CASE("run: what a program gives up before coir::run does not matter") {
    std::vector<std::string> changes{"sandbox", "file_size", "fork"};
    if (::geteuid() == 0) changes.insert(changes.end(), {"nobody", "chroot"});
    for (const std::string& change : changes) {
        CAPTURE(change);
        const tool_ending ending = detect({}, {CHANGING, change, "sleep"});
        CHECK(ending.status == 66);
        CHECK(ending.says("asleep in"));
        CHECK(ending.says("sleep_in_fiber"));
        CHECK(ending.errors.empty());
    }
}

TEST_CASE("run: a program that gave up its privileges and then starts another one is recorded in both") {
    if (::geteuid() != 0) return;
    const tool_ending ending = detect({}, {CHANGING, "nobody", "exec", "sleep"});
    CHECK(ending.status == 66);
    CHECK(ending.errors.empty());
}

TEST_CASE("run: a program that replaces itself keeps its findings, and the new one has its own") {
    const json all = json_of(detect({"-o", "json"}, {CHANGING, "sleep", "exec", "sleep", "exec", "sleep"}));
    const std::vector<json> found = findings_in(all, "sleep_in_fiber");
    REQUIRE(found.size() == 1);
    CHECK(found.front().at("count") == 3);
    CHECK(detect({}, {CHANGING, "sleep", "true"}).status == 66);
}

TEST_CASE("run: to replace the program in a fiber is no finding") {
    CHECK(detect({}, {CHANGING, "exec_in_fiber", "nothing", "wait"}).status == 0);
    CHECK(detect({}, {CHANGING, "nothing", "exec_in_fiber", "true"}).status == 0);
}

TEST_CASE("run: the program has the descriptors that it would have without the tool") {
    const std::vector<std::string> program{CHANGING, "descriptor", "nothing", "descriptor"};
    std::vector<std::string> unrecorded{"env", "-u", "COIR_BLOCKING_RECORDS"};
    unrecorded.insert(unrecorded.end(), program.begin(), program.end());
    const tool_ending without = detect({"--quiet", "--allow-empty"}, unrecorded);
    CHECK(without.says("descriptor "));
    CHECK(detect({"--quiet"}, program).out == without.out);
}

TEST_CASE("run: many threads with a run each are all recorded, also if the program leaves in the middle") {
    const json all = json_of(detect({"-o", "json"}, {CHANGING, "threads", "leave"}));
    std::uint64_t count = 0;
    for (const json& each : findings_in(all, "sleep_in_fiber")) count += each.at("count").get<std::uint64_t>();
    CHECK(count == 65);
}

TEST_CASE("run: processes that outlive the program go on, are waited for on demand, and else are unfinished") {
    const scratch_folder folder;
    const tool_ending unfinished = detect({}, {CHANGING, "daemon", "wait", "sleep", "touch", folder.at("ended")});
    CHECK(unfinished.status == 69);
    CHECK(unfinished.says("unfinished: 1 process"));
    for (int tries = 0; tries < 500 && folder.files().empty(); ++tries) ::usleep(20'000);
    CHECK(folder.files() == std::vector<std::string>{"ended"});

    const tool_ending waited = detect({"--wait", "60"}, {CHANGING, "daemon", "wait", "sleep"});
    CHECK(waited.status == 66);
    CHECK_FALSE(waited.says("unfinished"));
    CHECK(detect({"--wait", "0.2s"}, {CHANGING, "nothing", "daemon", "wait", "wait"}).says("unfinished"));
}

TEST_CASE("run: runs without events leave a page each at most, and the records of a process are one file") {
    const scratch_folder folder;
    std::vector<std::string> program{CHANGING};
    program.insert(program.end(), 300, "nothing");
    CHECK(detect({"--log-dir", folder.at("logs")}, program).status == 0);
    std::uintmax_t blocks = 0;
    int files = 0;
    for (const auto& each : std::filesystem::recursive_directory_iterator{folder.path()}) {
        if (!each.is_regular_file()) continue;
        struct stat status {};
        REQUIRE(::stat(each.path().c_str(), &status) == 0);
        blocks += static_cast<std::uintmax_t>(status.st_blocks);
        ++files;
    }
    CHECK(files == 1);
    CHECK(blocks * 512 <= 64 * 1024);
}

TEST_CASE("run: a report that cannot be written is an error that names it, and leaves no partial file") {
    const tool_ending full = detect({"-o", "json:/dev/full"}, {BLOCKERS, "load"});
    CHECK(full.status == 70);
    CHECK(full.complains("/dev/full: No space left on device"));
    const scratch_folder folder;
    CHECK(detect({"-o", "json:" + folder.at("report.json")}, {BLOCKERS, "load"}).status == 66);
    CHECK(folder.files() == std::vector<std::string>{"report.json"});
}

TEST_CASE("run: one run can write several reports, and text only if requested") {
    const scratch_folder folder;
    const tool_ending ending = detect({"-o", "json:" + folder.at("a"), "-o", "jsonl:" + folder.at("b"), "-o",
                                       "text:" + folder.at("c"), "--color", "auto"},
                                      {BLOCKERS, "load"});
    CHECK(ending.out.empty());
    CHECK(json::parse(content_of(folder.at("a"))).at("findings").is_array());
    CHECK(json::parse(content_of(folder.at("b")).substr(0, content_of(folder.at("b")).find('\n'))).contains("kind"));
    CHECK(content_of(folder.at("c")).find("\x1b[") == std::string::npos);
    CHECK(detect({"--quiet"}, {BLOCKERS, "load"}).out.empty());
    CHECK(detect({"--color", "always"}, {BLOCKERS, "load"}).says("\x1b["));
}

TEST_CASE("report: kept records and JSON files give the same findings again, merged") {
    const scratch_folder folder;
    const std::string saved = folder.at("saved.json");
    CHECK(detect({"--log-dir", folder.at("logs"), "-o", "json:" + saved}, {BLOCKERS, "load"}).status == 66);
    const tool_ending from_records = run_tool({"report", "-o", "json", folder.at("logs")});
    CHECK(from_records.status == 66);
    CHECK(findings_in(json_of(from_records), "shop::cache").size() == 1);
    const tool_ending from_both = run_tool({"report", "-o", "json", folder.at("logs"), saved});
    const std::vector<json> found = findings_in(json_of(from_both), "shop::cache");
    REQUIRE(found.size() == 1);
    CHECK(found.front().at("count") == 2);
}

TEST_CASE("report: says that a program was rebuilt since, and has no lines of the new one") {
    const scratch_folder folder;
    std::filesystem::copy_file(CHANGING, folder.at("program"));
    CHECK(detect({"--log-dir", folder.at("logs")}, {folder.at("program"), "sleep"}).status == 66);
    CHECK_FALSE(run_tool({"report", folder.at("logs")}).says("rebuilt"));
    std::filesystem::copy_file(BLOCKERS, folder.at("program"), std::filesystem::copy_options::overwrite_existing);
    const tool_ending rebuilt = run_tool({"report", folder.at("logs")});
    CHECK(rebuilt.status == 66);
    CHECK(rebuilt.says("program was rebuilt since the run was recorded"));
    CHECK(rebuilt.says("program (rebuilt since)+0x"));
    CHECK_FALSE(rebuilt.says("blockers.cpp"));
}

TEST_CASE("report: a file that is neither a record nor the tool's JSON is a usage error") {
    const scratch_folder folder;
    CHECK(run_tool({"report", folder.with("text", "hello")}).status == 64);
    CHECK(run_tool({"report", folder.with("cut.coirrec", "coirrec3")}).status == 64);
    const tool_ending old = run_tool({"report", folder.with("old.coirrec", "coirrec1")});
    CHECK(old.status == 64);
    CHECK(old.complains("different version of coir"));
    CHECK(run_tool({"report", folder.at("none")}).status == 64);
    const scratch_folder without;
    CHECK(run_tool({"report", without.path()}).status == 64);
}

TEST_CASE("diff: distinguishes new, gone and unchanged findings") {
    const scratch_folder folder;
    const std::string before = folder.at("before.json");
    const std::string after = folder.at("after.json");
    detect({"-o", "json:" + before}, {BLOCKERS, "load"});
    detect({"-o", "json:" + after}, {BLOCKERS, "report"});
    const tool_ending changed = run_tool({"diff", before, after});
    CHECK(changed.status == 66);
    CHECK(changed.says("new   "));
    CHECK(changed.says("gone  "));
    const tool_ending same = run_tool({"diff", before, before});
    CHECK(same.status == 0);
    CHECK(same.says("0 new, 0 gone"));
    CHECK(run_tool({"diff", before, folder.with("bad", "{}")}).status == 64);
}

TEST_CASE("check: prints one line for each feature that works or does not work, with the reason") {
    const tool_ending ending = run_tool({"check"});
    CHECK((ending.status == 0 || ending.status == 69));
    for (const char* each :
         {"kernel", "Syscall User Dispatch", "valgrind", "engine trap", "elfutils", "stack guards"}) {
        CHECK(ending.says(each));
    }
}

TEST_CASE("accept every rule by its id and its class") {
    CHECK(run_tool({"explain", "BD001"}).out == run_tool({"explain", "sleep"}).out);
    CHECK(run_tool({"list-rules"}).says("BD001"));
    const tool_ending none = run_tool({"explain", "BD999"});
    CHECK(none.status == 64);
    CHECK(none.complains("list-rules"));
}
