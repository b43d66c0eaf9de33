#include "cli/commands.hpp"

#include "cli/exit_codes.hpp"
#include "cli/machine.hpp"
#include "detect/calls/classes.hpp"
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
#include <filesystem>
#include <iostream>
#include <system_error>

namespace detector {

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

/// Reads the records of the program; those of its child processes only with `--follow-forks`. Returns notes.
std::vector<std::string> read_records(const options& requested, const std::string& folder, const run_ending& ending,
                                      collection& into) {
    std::vector<std::string> notes;
    std::size_t of_children = 0;
    for (const std::string& path : record_files_of(folder)) {
        try {
            const record each{path};
            const bool is_own = each.pid() == ending.pid;
            if (is_own || requested.follow_forks)
                into.add(each, is_own ? std::optional{ending.when} : std::nullopt);
            else
                ++of_children;
        } catch (const usage_error& unfinished) {  // the process was killed while it created the file
            notes.push_back(unfinished.what());
        }
    }
    if (of_children > 0) {
        notes.push_back("not reported: " + std::to_string(of_children) + (of_children == 1 ? " run" : " runs") +
                        " of coir in child processes of the program (use --follow-forks)");
    }
    return notes;
}

/// Whether `engine` is the required one or a better one.
bool is_good_enough(const std::string& engine, const std::string& required) {
    const std::vector<std::string> ranks{"", "unknown", "watch", "hooks", "trap"};
    return std::ranges::find(ranks, engine) >= std::ranges::find(ranks, required);
}

/// Writes the reports. Returns the exit status of the tool; `status` is that of the program.
int conclude(const options& requested, analysis& done, const std::vector<std::string>& more_notes,
             const std::string& program, int status) {
    result found = done.finish();
    found.program = program;
    found.notes.insert(found.notes.end(), more_notes.begin(), more_notes.end());
    const bool has_engine = is_good_enough(found.engine, requested.required_engine);
    if (!has_engine) {
        found.notes.push_back("the required engine " + requested.required_engine + " was not used in all runs" +
                              (found.engine.empty() ? "" : ": the weakest was " + found.engine) +
                              "; run \"blocking-detector check\" for the reason");
    }
    write_reports(requested, found);
    if (!requested.write_baseline.empty()) write_file(requested.write_baseline, to_baseline(done.for_baseline()));
    if (status != exit_ok) return status;
    if (!has_engine) return exit_no_engine;
    return done.has_failed() && requested.write_baseline.empty() ? exit_findings : exit_ok;
}

/// Returns the exit status that a shell has for a program that cannot be started.
int not_started(const std::system_error& failure) {
    std::cerr << "blocking-detector: cannot start " << failure.what() << '\n';
    return failure.code().value() == ENOENT ? exit_not_found : exit_not_executable;
}

int run(const options& requested) {
    analysis done{requested};
    check_outputs(requested);
    const record_folder folder{requested.log_dir};
    run_ending ending;
    try {
        ending = run_program(requested.program, variables_for(requested, folder.path()), requested.timeout);
    } catch (const std::system_error& failure) {
        return not_started(failure);
    }

    std::vector<std::string> notes = read_records(requested, folder.path(), ending, done.seen());
    if (ending.timed_out) notes.push_back("the program was stopped after --timeout");
    if (!requested.log_dir.empty()) notes.push_back("the record files are in " + folder.path());
    return conclude(requested, done, notes, joined(requested.program), ending.timed_out ? exit_timeout : ending.status);
}

void read_saved(const std::string& path, collection& into) {
    if (std::filesystem::is_directory(path)) {
        const std::vector<std::string> files = record_files_of(path);
        if (files.empty()) throw usage_error{path + ": no record files (*.coirrec) in this folder"};
        for (const std::string& each : files) into.add(record{each});
    } else if (record::is_one(path)) {
        into.add(record{path});
    } else {
        into.add(read_saved_findings(path));
    }
}

int report(const options& requested) {
    analysis done{requested};
    check_outputs(requested);
    for (const std::string& each : requested.operands) read_saved(each, done.seen());
    return conclude(requested, done, {}, joined(requested.operands), exit_ok);
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
