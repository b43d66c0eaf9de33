#include "options.hpp"

#include "detect/classes.hpp"
#include "exit_codes.hpp"
#include "option_values.hpp"
#include "version.hpp"

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
    "Finds the calls by which a fiber of coir blocks its thread, with the line that makes each.";

constexpr const char* exit_codes =
    "Exit status: that of the program when it fails (128+n when signal n ends it), 66 when there are findings,\n"
    "64 for a mistake in the command line or a file that it names, 69 when the engine asked for is missing,\n"
    "70 when a report cannot be written, 124 after --timeout, 126 and 127 when the program cannot be started.";

/// As lines that fit beside the options.
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

/// CLI11's, with lines that are broken, and what stands behind the `--` of `run`.
class formatter : public CLI::Formatter {
public:
    std::string make_option_desc(const CLI::Option* option) const override {
        return wrapped(CLI::Formatter::make_option_desc(option));
    }

    std::string make_usage(const CLI::App* app, std::string name) const override {
        std::string usage = CLI::Formatter::make_usage(app, std::move(name));
        if (app->get_name() != "run") return usage;
        while (usage.ends_with('\n')) usage.pop_back();
        return usage + " -- PROGRAM [ARGUMENT...]\n";
    }
};

/// An option whose text is read by `read`, which throws `usage_error`.
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

/// An option that is one of a few words.
template <class T>
void add_choice(CLI::App& to, const std::string& name, T& into, const std::map<std::string, T>& words,
                const std::string& help) {
    std::string all;
    for (const auto& [word, meaning] : words) all.append(all.empty() ? "" : "|").append(word);
    add(to, name, all, help, [&into, words, all](const std::string& text) {
        const auto found = words.find(text);
        if (found == words.end()) throw usage_error{"'" + text + "' is none of " + all};
        into = found->second;
    });
}

void add_output_options(CLI::App& to, options& into) {
    add(to, "-o,--output", "FORMAT[:FILE]",
        "What to write, and where; repeatable. " + names_of_all_formats() + ". Default: text, to standard output",
        [&](const std::string& text) { into.outputs.push_back(output_in(text)); });
    to.add_flag("--latent", into.show_latent,
                "In text, also calls that can block and did not this time (the other formats always have them)");
    add(to, "--max-findings", "N", "Only the first N: they are sorted by total time",
        [&](const std::string& text) { into.max_findings = count_in(text); });
    to.add_flag("-q,--quiet", into.quiet, "Nothing on standard output but what -o asks for; no text by default");
    add_choice<when>(to, "--color", into.color,
                     {{"auto", when::automatic}, {"always", when::always}, {"never", when::never}},
                     "Colours in text. Default: auto, on a terminal");
}

void add_selection_options(CLI::App& to, options& into) {
    add(to, "--fail-on", "KINDS",
        "The kinds of findings that make the exit status 66: a list out of blocked (slept in the kernel), hog "
        "(computed "
        "without yielding), latent (could have slept); or none, and the program's own status is kept. What is "
        "suppressed or in the baseline never counts. Default: blocked,hog",
        [&](const std::string& text) { into.fail_on = failing_kinds_in(text); });
    add(to, "--min-duration", "TIME",
        "Leaves out places that have held their thread for less, at the longest (latent ones have not at all, and "
        "stay). "
        "Default: 1ms",
        [&](const std::string& text) { into.min_duration = duration_in(text, 1ms); });
    add(to, "--class", "LIST",
        "Only these classes, as sleep,dns, or all but these, as -disk,-pipe: out of " +
            coir::detail::names_of_all_classes(),
        [&](const std::string& text) { into.classes = classes_in(text); });
    add(to, "--suppressions", "FILE", "Rules for what is not to be reported; repeatable",
        [&](const std::string& text) { into.suppressions.push_back(text); });
    add_choice<unused_rules>(
        to, "--unused-suppressions", into.unused,
        {{"error", unused_rules::error}, {"warn", unused_rules::warn}, {"off", unused_rules::off}},
        "What to do about rules that match nothing, or are over: exit status 66, say so, nothing. Default: warn");
    to.add_option("--baseline", into.baseline, "What this file names is known, and does not count")->type_name("FILE");
    to.add_option("--write-baseline", into.write_baseline,
                  "Makes a baseline of what is found now; findings then leave the exit status alone")
        ->type_name("FILE");
}

void add_code_options(CLI::App& to, options& into) {
    add(to, "--owner", "REGEX", "Your code: the innermost frame whose function, file or module matches is the place",
        [&](const std::string& text) { into.code.owner = pattern{text}; });
    add(to, "--ignore-frames", "REGEX", "Leaves out frames whose function, file or module matches",
        [&](const std::string& text) { into.code.ignored = pattern{text}; });
    to.add_option("--strip-prefix", into.strip_prefix,
                  "Leaves this folder out of the paths of source files. Default: the current one")
        ->type_name("DIR");
    add(to, "--debug-dir", "DIR", "Where separate debug files are, besides /usr/lib/debug; repeatable",
        [&](const std::string& text) { into.debug_folders.push_back(text); });
}

void add_run_options(CLI::App& to, options& into) {
    add_choice<std::string>(to, "--engine", into.engine,
                            {{"auto", "trap"}, {"trap", "trap"}, {"hooks", "hooks"}, {"watch", "watch"}},
                            "What looks: trap (every system call), hooks (the C library's well-known calls), watch "
                            "(stalls only). auto is trap, and hooks where the machine has no trap. Default: auto");
    add_choice<std::string>(to, "--require-engine", into.required_engine,
                            {{"trap", "trap"}, {"hooks", "hooks"}, {"watch", "watch"}},
                            "Exit status 69 when this engine, or a better one, did not look at all runs");
    add(to, "--stall-threshold", "TIME", "How long a fiber may compute before it is a hog. Default: 100ms",
        [&](const std::string& text) {
            into.stall_threshold = std::chrono::ceil<std::chrono::milliseconds>(duration_in(text, 1ms));
            if (into.stall_threshold < 1ms || into.stall_threshold > 1h) throw usage_error{"from 1ms to 1h, please"};
        });
    to.add_flag("--follow-forks", into.follow_forks, "Also the processes that the program starts");
    add(to, "--timeout", "TIME", "Ends the program after this time, in seconds if no unit is given; exit status 124",
        [&](const std::string& text) {
            into.timeout = duration_in(text, 1s);
            if (*into.timeout <= 0s) throw usage_error{"has to be more than 0"};
        });
    to.add_option("--log-dir", into.log_dir, "Keeps what the program records here, for `report`")->type_name("DIR");
}

void add_commands(CLI::App& app, options& into) {
    const auto add_command = [&](command which, const char* name, const char* help) {
        CLI::App* const made = app.add_subcommand(name, help);
        made->parse_complete_callback([&into, which] { into.what = which; });
        return made;
    };
    CLI::App& run = *add_command(command::run, "run", "Runs a program and reports what blocked in it");
    CLI::App& report = *add_command(command::report, "report", "Reports saved runs again");
    report.add_option("FILE", into.operands, "Record files, folders of them (--log-dir), files of -o json")->required();
    for (CLI::App* const each : {&run, &report}) {
        add_output_options(*each, into);
        add_selection_options(*each, into);
        add_code_options(*each, into);
    }
    add_run_options(run, into);
    run.footer(exit_codes);

    CLI::App& diff = *add_command(command::diff, "diff", "Compares two runs, as saved by -o json");
    const auto add_operand = [&](const std::string& name, const char* help) {
        diff.add_option_function<std::string>(
                name, [&](const std::string& file) { into.operands.push_back(file); }, help)
            ->required()
            ->option_text("FILE");
    };
    add_operand("OLD", "The run to compare with");
    add_operand("NEW", "The run whose findings are judged");
    diff.footer(
        "Exit status: 66 when NEW has findings that are not in OLD, are not suppressed and count by --fail-on.");
    add(diff, "--fail-on", "KINDS", "As for run",
        [&](const std::string& text) { into.fail_on = failing_kinds_in(text); });
    add_command(command::check, "check", "Says what works on this machine, and why something does not");
    CLI::App& explain = *add_command(command::explain, "explain", "What a rule or class means, and how to fix it");
    explain.add_option("RULE", into.operands, "BD001, or a class: sleep")->required()->expected(1);
    add_command(command::list_rules, "list-rules", "All rules, a line each");
}

/// What makes no sense only together.
void check(const options& asked) {
    if (asked.what == command::run && asked.program.empty()) {
        throw usage_error{"run: what program? blocking-detector run [options] -- program arguments..."};
    }
    if (asked.what != command::run && !asked.program.empty()) throw usage_error{"only run has a program behind --"};
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

    // What stands behind the first "--" is the program's, whatever it looks like.
    const auto dashes = std::ranges::find(arguments, "--");
    std::vector<std::string> own{arguments.begin(), dashes};
    if (dashes != arguments.end()) made.program.assign(std::next(dashes), arguments.end());
    try {
        std::ranges::reverse(own);  // CLI11 takes them from the back
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
