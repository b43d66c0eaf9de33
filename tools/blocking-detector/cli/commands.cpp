#include "cli/commands.hpp"

#include "base/printable.hpp"
#include "cli/exit_codes.hpp"
#include "cli/machine.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/wording.hpp"
#include "read/analysis.hpp"
#include "read/baseline.hpp"
#include "read/comparison.hpp"
#include "read/record.hpp"
#include "read/saved.hpp"
#include "render/output.hpp"
#include "render/reports.hpp"
#include "render/rules.hpp"
#include "run/record_folder.hpp"
#include "run/runner.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <system_error>

namespace detector {

using coir::detail::counted;
using coir::detail::printable;

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& each : words) all.append(all.empty() ? "" : " ").append(each);
    return all;
}

/// The environment variables that make coir in the program write record files.
std::vector<std::pair<std::string, std::string>> variables_for(const options& requested, const std::string& folder) {
    std::vector<std::pair<std::string, std::string>> variables{
        {"COIR_BLOCKING", "warn"},
        {"COIR_BLOCKING_RECORDS", folder},
        {"COIR_BLOCKING_ENGINE", requested.engine},
        {"COIR_BLOCKING_STALL_MS", std::to_string(requested.stall_threshold.count())},
    };
    // The program records all classes, and the tool selects: the final class of a call may depend on its stack.
    if (requested.classes) {
        std::string all = coir::detail::names_of_all_classes();
        std::erase(all, ' ');
        variables.emplace_back("COIR_BLOCKING_CLASSES", all);
    }
    return variables;
}

/// What the record files say besides the runs.
struct records_read {
    std::vector<std::string> notes{};
    std::string why_nothing{};  // the reason, if no run was found
    std::uint64_t left_out_errors = 0;
};

void note_state_of(const record_file& each, std::vector<std::string>& notes) {
    for (const std::string& module : each.rebuilt) {
        notes.push_back(module + " was rebuilt since the run was recorded (its build id has changed): its addresses "
                                 "have no functions and lines");
    }
    if (each.runs_left_out > 0) {
        notes.push_back("not recorded: " + counted(each.runs_left_out, "run") + " of coir in process " +
                        std::to_string(each.pid) + ", for lack of space on the disk or in the record file");
    }
}

/// Reads the files in a folder, in the order in which they were created. A file that cannot be used becomes a note.
std::vector<record_file> read_all(const std::string& folder, std::vector<std::string>& notes) {
    std::vector<record_file> files;
    for (const std::string& path : record_files_of(folder)) {
        try {
            files.push_back(read_record_file(path));
            note_state_of(files.back(), notes);
        } catch (const usage_error& unfinished) {  // the process was killed while it created the file
            notes.push_back(unfinished.what());
        }
    }
    std::ranges::sort(files, {}, &record_file::began);
    return files;
}

/// When the process of a run ended, or the program that ran in it: a process that replaces itself with execve(2) has a
/// file for each program. Now, if it still runs. CLOCK_MONOTONIC, ns. `later` are the files that were created later.
std::optional<std::int64_t> end_of(const record& run, std::span<const record_file> later, const run_ending& ending) {
    std::optional<std::int64_t> end;
    const auto next = std::ranges::find(later, run.pid(), &record_file::pid);
    if (next != later.end())
        end = next->began;
    else if (run.pid() == ending.pid)
        end = ending.when;
    else if (std::ranges::find(ending.survivors, run.pid()) != ending.survivors.end())
        end = std::chrono::steady_clock::now().time_since_epoch().count();
    // Not if process ids repeat, in two namespaces.
    return end && run.call_began() >= 0 && *end >= run.call_began() ? end : std::nullopt;
}

/// Reads the records of the program; those of its child processes not with `--no-follow-forks`.
records_read read_records(const options& requested, const std::string& folder, const run_ending& ending,
                          collection& into) {
    records_read made;
    const std::vector<record_file> files = read_all(folder, made.notes);
    std::size_t of_children = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        for (const record& each : files[i].runs) {
            if (each.pid() != ending.pid && !requested.follow_forks) {
                ++of_children;
                continue;
            }
            into.add(each, end_of(each, std::span{files}.subspan(i + 1), ending));
            made.left_out_errors += each.left_out_errors();
        }
    }
    if (of_children > 0) {
        made.notes.push_back("not reported: " + counted(of_children, "run") +
                             " of coir in child processes of the program (--no-follow-forks)");
    }
    if (!files.empty() && !ending.survivors.empty()) {
        made.notes.push_back(
            "unfinished: " + std::to_string(ending.survivors.size()) +
            (ending.survivors.size() == 1 ? " process" : " processes") +
            " of the program still ran; reported is what was recorded until then (use --wait SECONDS)");
    }
    made.why_nothing = of_children > 0  ? "all runs of coir were in processes that --no-follow-forks leaves out"
                       : !files.empty() ? "the program never called coir::run, or could not record it"
                                        : "no process that was started contains coir, or could create a record";
    return made;
}

/// Whether `engine` is the required one or a better one.
bool is_good_enough(const std::string& engine, const std::string& required) {
    return std::ranges::find(engines_by_rank, engine) >= std::ranges::find(engines_by_rank, required);
}

/// Writes the reports. Returns the exit status of the tool; `status` is that of the program.
int conclude(const options& requested, analysis& done, const records_read& read, const std::string& program,
             int status) {
    result found = done.finish();
    found.program = program;
    found.notes.insert(found.notes.end(), read.notes.begin(), read.notes.end());
    const bool has_left_out = read.left_out_errors > 0 && requested.fail_on.has_value();
    if (has_left_out) found.notes.push_back("calls that held the thread were left out, which counts as a finding");
    const bool has_seen = !found.engine.empty() || !found.findings.empty();
    const bool is_empty = !has_seen && !requested.allow_empty;
    if (is_empty) found.notes.push_back("nothing was looked at: " + read.why_nothing + " (--allow-empty permits it)");
    const bool has_engine = !has_seen || is_good_enough(found.engine, requested.required_engine);
    if (!has_engine) {
        found.notes.push_back("the required engine " + requested.required_engine + " was not used in all runs" +
                              (found.engine.empty() ? "" : ": the weakest was " + found.engine) +
                              "; run \"blocking-detector check\" for the reason");
    }
    found.program = printable(found.program);
    for (std::string& each : found.notes) each = printable(each);
    write_reports(requested, found);
    if (!requested.write_baseline.empty()) write_file(requested.write_baseline, to_baseline(done.for_baseline()));
    if (status != exit_ok) return status;
    if ((done.has_failed() || has_left_out) && requested.write_baseline.empty()) return exit_findings;
    return is_empty || !has_engine ? exit_no_engine : exit_ok;
}

/// Returns the exit status that a shell has for a program that cannot be started.
int not_started(const std::system_error& failure) {
    std::cerr << "blocking-detector: cannot start " << printable(failure.what()) << '\n';
    return failure.code().value() == ENOENT ? exit_not_found : exit_not_executable;
}

int run(const options& requested) {
    analysis done{requested};
    check_outputs(requested);
    const record_folder folder{requested.log_dir};
    run_ending ending;
    try {
        ending =
            run_program(requested.program, variables_for(requested, folder.path()), requested.timeout, requested.wait);
    } catch (const std::system_error& failure) {
        return not_started(failure);
    }

    records_read read = read_records(requested, folder.path(), ending, done.seen());
    if (ending.timed_out) read.notes.push_back("the program was stopped after --timeout");
    if (!requested.log_dir.empty()) read.notes.push_back("the record files are in " + folder.path());
    return conclude(requested, done, read, joined(requested.program), ending.timed_out ? exit_timeout : ending.status);
}

void read_saved(const std::string& path, collection& into, records_read& found) {
    const auto add = [&](const std::string& file) {
        const record_file read = read_record_file(file);
        note_state_of(read, found.notes);
        for (const record& each : read.runs) {
            into.add(each);
            found.left_out_errors += each.left_out_errors();
        }
    };
    if (std::filesystem::is_directory(path)) {
        const std::vector<std::string> files = record_files_of(path);
        if (files.empty()) throw usage_error{path + ": no record files (*.coirrec) in this folder"};
        std::ranges::for_each(files, add);
    } else if (is_record_file(path)) {
        add(path);
    } else {
        into.add(read_saved_findings(path));
    }
}

int report(const options& requested) {
    analysis done{requested};
    check_outputs(requested);
    records_read read{.why_nothing = "no run of coir is in these files"};
    for (const std::string& each : requested.operands) read_saved(each, done.seen(), read);
    return conclude(requested, done, read, joined(requested.operands), exit_ok);
}

int diff(const options& requested) {
    const comparison made = compare(read_saved_findings(requested.operands[0]),
                                    read_saved_findings(requested.operands[1]), requested.fail_on);
    write_out(made.text);
    return made.has_failed ? exit_findings : exit_ok;
}

int check() {
    const machine_report made = check_machine();
    write_out(made.text);
    return made.has_trap ? exit_ok : exit_no_engine;
}

int explain_rule(const std::string& name) {
    const rule* const found = rule_named(name);
    if (found == nullptr) {
        throw usage_error{"'" + name + "' is not a rule; run \"blocking-detector list-rules\" for a list"};
    }
    write_out(explain(*found));
    return exit_ok;
}

}  // namespace

int carry_out(const options& requested) {
    switch (requested.what) {
    case command::run: return run(requested);
    case command::report: return report(requested);
    case command::diff: return diff(requested);
    case command::check: return check();
    case command::explain: return explain_rule(requested.operands.front());
    case command::list_rules: write_out(list_rules()); return exit_ok;
    }
    return exit_internal;
}

}  // namespace detector
