#include "cli/options.hpp"

#include "cli/exit_codes.hpp"
#include "cli/option_values.hpp"
#include "cli/version.hpp"
#include "detect/calls/classes.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <ostream>
#include <utility>

namespace detector {

namespace {

using namespace std::chrono_literals;

constexpr const char* description =
    "Finds the calls with which fibers of coir block their thread, and the source line of each call.";

constexpr const char* exit_codes =
    "Exit status: that of the program if it fails (128+n if signal n kills it), 66 if there are findings,\n"
    "64 for an error in the command line or in a file named there, 69 if nothing was looked at or the required\n"
    "engine is not available, 70 if a report cannot be written, 124 after --timeout, 126 and 127 if the program\n"
    "cannot be started. Of several, the first: the program's failure, 124, 66, 69.";

/// Breaks a text into lines that fit beside the options.
std::string wrapped(std::string text) {
    constexpr std::size_t width = 76;
    for (std::size_t begin = 0; text.size() - begin > width;) {
        const std::size_t end = text.rfind(' ', begin + width);
        if (end == text.npos || end <= begin) break;
        text[end] = '\n';
        begin = end + 1;
    }
    return text;
}

/// CLI11's formatter, with wrapped lines and with the program in the usage of `run`.
class formatter : public CLI::Formatter {
public:
    std::string make_option_desc(const CLI::Option* option) const override {
        return wrapped(CLI::Formatter::make_option_desc(option));
    }

    std::string make_usage(const CLI::App* app, std::string name) const override {
        std::string usage = CLI::Formatter::make_usage(app, std::move(name));
        if (app->get_name() != "run") return usage;
        while (usage.ends_with('\n')) usage.pop_back();
        return usage + " [--] PROGRAM [ARGUMENT...]\n";
    }
};

/// Adds an option whose value is parsed by `read`, which throws `usage_error`.
CLI::Option* add(CLI::App& to, const std::string& name, const std::string& value, const std::string& help,
                 const std::function<void(const std::string&)>& read) {
    const auto reread = [read, name](const std::vector<std::string>& texts) {
        try {
            std::ranges::for_each(texts, read);
        } catch (const usage_error& wrong) {
            throw usage_error{name.substr(name.find("--")) + ": " + wrong.what()};
        }
    };
    return to.add_option_function<std::vector<std::string>>(name, reread, help)
        ->option_text(value)
        ->allow_extra_args(false);
}

/// Adds an option whose value is one of `words`.
template <class T>
void add_choice(CLI::App& to, const std::string& name, T& into, const std::map<std::string, T>& words,
                const std::string& help) {
    std::string all;
    for (const auto& [word, meaning] : words) all.append(all.empty() ? "" : "|").append(word);
    add(to, name, all, help, [&into, words, all](const std::string& text) {
        const auto found = words.find(text);
        if (found == words.end()) throw usage_error{"invalid value '" + text + "'; allowed: " + all};
        into = found->second;
    });
}

void add_output_options(CLI::App& to, options& into) {
    add(to, "-o,--output", "FORMAT[:FILE]",
        "Format and file of a report; repeatable. Formats: " + names_of_all_formats() +
            ". Default: text, to standard output",
        [&](const std::string& text) { into.outputs.push_back(output_in(text)); });
    add(to, "--show", "LEVEL",
        "In text, the lowest level of findings that are shown: error, warning or note (other formats have all). "
        "Default: error",
        [&](const std::string& text) { into.show = level_in(text); });
    add(to, "--max-findings", "N", "Reports only the first N findings; findings are sorted by total time",
        [&](const std::string& text) { into.max_findings = count_in(text); });
    to.add_flag("-q,--quiet", into.quiet, "Writes only the reports of -o, and no text report by default");
    add_choice<when>(to, "--color", into.color,
                     {{"auto", when::automatic}, {"always", when::always}, {"never", when::never}},
                     "Colours in text. Default: auto, which means on a terminal");
}

void add_selection_options(CLI::App& to, options& into) {
    add(to, "--fail-on", "LEVEL",
        "The lowest level of findings that makes the exit status 66: error, warning or note; or none, to keep the "
        "program's own status. Findings that are suppressed or in the baseline never count. Default: error",
        [&](const std::string& text) { into.fail_on = failing_level_in(text); });
    add(to, "--min-duration", "TIME",
        "A contended lock or an access to a file is an error if it slept for this long, and a warning otherwise. "
        "Calls that wait for somebody else are errors however short they are. Default: 1ms",
        [&](const std::string& text) { into.min_duration = duration_in(text, 1ms); });
    add(to, "--class", "LIST",
        "Reports only these classes, such as sleep,dns, or all except these, such as -disk,-pipe. Classes: " +
            coir::detail::names_of_all_classes(),
        [&](const std::string& text) { into.classes = classes_in(text); });
    add(to, "--suppressions", "FILE", "Rules for findings that are not reported; repeatable",
        [&](const std::string& text) { into.suppressions.push_back(text); });
    add_choice<unused_rules>(
        to, "--unused-suppressions", into.unused,
        {{"error", unused_rules::error}, {"warn", unused_rules::warn}, {"off", unused_rules::off}},
        "For rules that match nothing or have expired: error (exit status 66), warn (a note), off. Default: warn");
    to.add_option("--baseline", into.baseline, "Findings in this file are known and do not count")->type_name("FILE");
    to.add_option("--write-baseline", into.write_baseline,
                  "Writes the current findings as a baseline; they do not change the exit status")
        ->type_name("FILE");
    to.add_flag("--allow-empty", into.allow_empty, "No run of coir is no error; otherwise exit status 69");
}

void add_code_options(CLI::App& to, options& into) {
    add(to, "--owner", "REGEX",
        "Your code: a finding is reported at the innermost frame whose function, file or module matches",
        [&](const std::string& text) { into.code.owner = pattern{text}; });
    add(to, "--ignore-frames", "REGEX", "Removes frames whose function, file or module matches",
        [&](const std::string& text) { into.code.ignored = pattern{text}; });
    to.add_option(
          "--source-root", into.code.source_root,
          "Folder of your code: a finding is reported at the innermost frame in it. Default: the current folder")
        ->type_name("DIR");
    to.add_option("--strip-prefix", into.strip_prefix,
                  "Removes this folder from the paths of source files. Default: the current folder")
        ->type_name("DIR");
    add(to, "--debug-dir", "DIR", "Folder with separate debug files, besides /usr/lib/debug; repeatable",
        [&](const std::string& text) { into.code.debug_folders.push_back(text); });
}

void add_run_options(CLI::App& to, options& into) {
    add_choice<std::string>(to, "--engine", into.engine,
                            {{"auto", "trap"}, {"trap", "trap"}, {"hooks", "hooks"}, {"watch", "watch"}},
                            "What detects blocking: trap (every system call), hooks (common functions of the C "
                            "library), watch (stalls only). auto is trap if it is available, else hooks. Default: "
                            "auto");
    add_choice<std::string>(to, "--require-engine", into.required_engine,
                            {{"trap", "trap"}, {"hooks", "hooks"}, {"watch", "watch"}},
                            "Exit status 69 if a run did not have this engine or a better one");
    add(to, "--stall-threshold", "TIME", "A fiber that computes for longer than this is a hog. Default: 100ms",
        [&](const std::string& text) {
            into.stall_threshold = std::chrono::ceil<std::chrono::milliseconds>(duration_in(text, 1ms));
            if (into.stall_threshold < 1ms || into.stall_threshold > 1h) throw usage_error{"must be from 1ms to 1h"};
        });
    to.add_flag("--follow-forks")->group("");  // the default; accepted because it was not always so
    to.add_flag_callback(
        "--no-follow-forks", [&] { into.follow_forks = false; }, "Leaves out the processes that the program starts");
    add(to, "--wait", "TIME",
        "Waits this long for processes that outlive the program, such as a daemon (default unit: seconds). Default: 0",
        [&](const std::string& text) { into.wait = duration_in(text, 1s); });
    add(to, "--timeout", "TIME", "Ends the program after this time (default unit: seconds); exit status 124",
        [&](const std::string& text) {
            into.timeout = duration_in(text, 1s);
            if (*into.timeout <= 0s) throw usage_error{"must be greater than 0"};
        });
    to.add_option("--log-dir", into.log_dir, "Keeps the record files in this folder, for `report`")->type_name("DIR");
}

/// Takes the program from the arguments of `run` that are not its options.
void take_program(const std::vector<std::string>& arguments, options& into) {
    if (arguments.empty()) return;
    if (arguments.front().starts_with('-')) throw usage_error{"run: unknown option " + arguments.front()};
    if (!into.program.empty()) into.program.insert(into.program.begin(), "--");
    into.program.insert(into.program.begin(), arguments.begin(), arguments.end());
}

void add_commands(CLI::App& app, options& into) {
    const auto add_command = [&](command which, const char* name, const char* help) {
        CLI::App* const made = app.add_subcommand(name, help);
        made->parse_complete_callback([&into, which] { into.what = which; });
        return made;
    };
    CLI::App& run = *add_command(command::run, "run", "Runs a program and reports what blocked in it");
    CLI::App& report = *add_command(command::report, "report", "Reports saved runs again");
    report.add_option("FILE", into.operands, "Record files, folders with record files (--log-dir), files of -o json")
        ->required();
    for (CLI::App* const each : {&run, &report}) {
        add_output_options(*each, into);
        add_selection_options(*each, into);
        add_code_options(*each, into);
    }
    add_run_options(run, into);
    run.footer(exit_codes);
    run.prefix_command();  // the first argument that is neither an option nor its value begins the program
    run.callback([&run, &into] { take_program(run.remaining(), into); });

    CLI::App& diff = *add_command(command::diff, "diff", "Compares two runs that were saved with -o json");
    const auto add_operand = [&](const std::string& name, const char* help) {
        diff.add_option_function<std::string>(
                name, [&](const std::string& file) { into.operands.push_back(file); }, help)
            ->required()
            ->option_text("FILE");
    };
    add_operand("OLD", "The run to compare with");
    add_operand("NEW", "The run whose new findings are reported");
    diff.footer("Exit status: 66 if NEW has findings of the level of --fail-on or above that are not in OLD and not "
                "suppressed.");
    add(diff, "--fail-on", "LEVEL", "The same as for run",
        [&](const std::string& text) { into.fail_on = failing_level_in(text); });
    add_command(command::check, "check", "Shows what works on this machine, and why something does not");
    CLI::App& explain =
        *add_command(command::explain, "explain", "Explains a rule or class, and how to fix a finding of it");
    explain.add_option("RULE", into.operands, "A rule such as BD001, or a class such as sleep")
        ->required()
        ->expected(1);
    add_command(command::list_rules, "list-rules", "Lists all rules, one a line");
}

/// Checks combinations of arguments.
void check(const options& requested) {
    if (requested.what == command::run && requested.program.empty()) {
        throw usage_error{"run: no program given; use: blocking-detector run [options] program arguments..."};
    }
    if (requested.what != command::run && !requested.program.empty()) {
        throw usage_error{"only the command run takes a program after --"};
    }
}

}  // namespace

options read_command_line(const std::vector<std::string>& arguments, std::optional<int>& status, std::ostream& out,
                          std::ostream& errors) {
    options made;
    CLI::App app{description, "blocking-detector"};
    app.formatter(std::make_shared<formatter>());
    app.get_formatter()->column_width(34);
    app.set_version_flag("--version", "blocking-detector " + std::string{tool_version()});
    app.require_subcommand(1);
    app.footer(exit_codes);
    add_commands(app, made);

    // All arguments after the first "--" belong to the program, even if they look like options. `run` may find that the
    // program begins earlier.
    const auto dashes = std::ranges::find(arguments, "--");
    std::vector<std::string> own{arguments.begin(), dashes};
    if (dashes != arguments.end()) made.program.assign(std::next(dashes), arguments.end());
    try {
        std::ranges::reverse(own);  // CLI11 expects the arguments in reverse order
        app.parse(own);
        check(made);
    } catch (const CLI::ParseError& end) {
        status = app.exit(end, out, errors) == 0 ? exit_ok : exit_usage;
    } catch (const usage_error& wrong) {
        errors << "blocking-detector: " << wrong.what() << '\n';
        status = exit_usage;
    }
    return made;
}

}  // namespace detector
