#include "commands.hpp"

#include "analysis.hpp"
#include "comparison.hpp"
#include "detect/classes.hpp"
#include "exit_codes.hpp"
#include "json.hpp"
#include "machine.hpp"
#include "output.hpp"
#include "record.hpp"
#include "record_folder.hpp"
#include "reports.hpp"
#include "rules.hpp"
#include "runner.hpp"

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

/// What tells coir in the program to record.
std::vector<std::pair<std::string, std::string>> variables_for(const options& asked, const std::string& folder) {
    std::vector<std::pair<std::string, std::string>> variables{
        {"COIR_BLOCKING", "warn"},
        {"COIR_BLOCKING_RECORDS", folder},
        {"COIR_BLOCKING_ENGINE", asked.engine},
        {"COIR_BLOCKING_STALL_MS", std::to_string(asked.stall_threshold.count())},
    };
    // All of them, and the choice is made here: what a call is may be known by its stack only.
    if (asked.classes) {
        std::string all = coir::detail::names_of_all_classes();
        std::erase(all, ' ');
        variables.emplace_back("COIR_BLOCKING_CLASSES", all);
    }
    return variables;
}

/// Reads what a program has recorded, without what only its children have.
std::vector<std::string> read_records(const options& asked, const std::string& folder, const run_ending& ending,
                                      collection& into) {
    std::vector<std::string> notes;
    std::size_t of_children = 0;
    for (const std::string& path : record_files_of(folder)) {
        try {
            const record each{path};
            const bool is_own = each.pid() == ending.pid;
            if (is_own || asked.follow_forks)
                into.add(each, is_own ? std::optional{ending.when} : std::nullopt);
            else
                ++of_children;
        } catch (const usage_error& unfinished) {  // killed while it was made
            notes.push_back(unfinished.what());
        }
    }
    if (of_children > 0) {
        notes.push_back("left out: " + std::to_string(of_children) + (of_children == 1 ? " run" : " runs") +
                        " of coir in processes that the program has started (--follow-forks)");
    }
    return notes;
}

/// Whether all runs had the engine that is asked for, or a better one.
bool is_good_enough(const std::string& engine, const std::string& required) {
    const std::vector<std::string> ranks{"", "watch", "hooks", "trap"};
    return std::ranges::find(ranks, engine) >= std::ranges::find(ranks, required);
}

/// Reports, and says how the tool ends when the program has ended with `status`.
int conclude(const options& asked, analysis& done, const std::vector<std::string>& more_notes,
             const std::string& program, int status) {
    result found = done.finish();
    found.program = program;
    found.notes.insert(found.notes.end(), more_notes.begin(), more_notes.end());
    const bool has_engine = is_good_enough(found.engine, asked.required_engine);
    if (!has_engine) {
        found.notes.push_back("the engine " + asked.required_engine + " is required, and did not look" +
                              (found.engine.empty() ? "" : ": it was " + found.engine) +
                              "; blocking-detector check says why");
    }
    write_reports(asked, found);
    if (!asked.write_baseline.empty()) write_file(asked.write_baseline, to_baseline(done.for_baseline()));
    if (status != exit_ok) return status;
    if (!has_engine) return exit_no_engine;
    return done.has_failed() && asked.write_baseline.empty() ? exit_findings : exit_ok;
}

/// A program that cannot be started is said as a shell says it.
int not_started(const std::system_error& failure) {
    std::cerr << "blocking-detector: cannot start " << failure.what() << '\n';
    return failure.code().value() == ENOENT ? exit_not_found : exit_not_executable;
}

int run(const options& asked) {
    analysis done{asked};
    check_outputs(asked);
    const record_folder folder{asked.log_dir};
    run_ending ending;
    try {
        ending = run_program(asked.program, variables_for(asked, folder.path()), asked.timeout);
    } catch (const std::system_error& failure) {
        return not_started(failure);
    }

    std::vector<std::string> notes = read_records(asked, folder.path(), ending, done.seen());
    if (ending.timed_out) notes.push_back("the program was ended by --timeout");
    if (!asked.log_dir.empty()) notes.push_back("records are kept in " + folder.path());
    return conclude(asked, done, notes, joined(asked.program), ending.timed_out ? exit_timeout : ending.status);
}

void read_saved(const std::string& path, collection& into) {
    if (std::filesystem::is_directory(path)) {
        const std::vector<std::string> files = record_files_of(path);
        if (files.empty()) throw usage_error{path + ": no record files (*.coirrec) in this folder"};
        for (const std::string& each : files) into.add(record{each});
    } else if (record::is_one(path)) {
        into.add(record{path});
    } else {
        into.add(read_json(path));
    }
}

int report(const options& asked) {
    analysis done{asked};
    check_outputs(asked);
    for (const std::string& each : asked.operands) read_saved(each, done.seen());
    return conclude(asked, done, {}, joined(asked.operands), exit_ok);
}

int diff(const options& asked) {
    const comparison made = compare(read_json(asked.operands[0]), read_json(asked.operands[1]), asked.fail_on);
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
    if (found == nullptr) throw usage_error{"'" + name + "' is no rule: blocking-detector list-rules names them all"};
    write_out(explain(*found));
    return exit_ok;
}

}  // namespace

int carry_out(const options& asked) {
    switch (asked.what) {
    case command::run: return run(asked);
    case command::report: return report(asked);
    case command::diff: return diff(asked);
    case command::check: return check();
    case command::explain: return explain_rule(asked.operands.front());
    case command::list_rules: write_out(list_rules()); return exit_ok;
    }
    return exit_internal;
}

}  // namespace detector
