#pragma once

#include <coir/blocking.hpp>

#include "cli/option_values.hpp"
#include "read/code_options.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace detector {

enum class command { run, report, diff, check, explain, list_rules };

enum class when { always, never, automatic };

enum class unused_rules { error, warn, off };

/// The parsed command line.
struct options {
    command what = command::check;
    std::vector<std::string> program;   // for `run`: the program with its arguments
    std::vector<std::string> operands;  // for the other commands: files or a rule

    std::vector<output_request> outputs;
    std::optional<coir::blocking_level> fail_on = coir::blocking_level::error;  // empty: none
    coir::blocking_level show = coir::blocking_level::error;                    // in text
    bool quiet = false;
    when color = when::automatic;
    std::optional<std::size_t> max_findings;

    std::chrono::nanoseconds min_duration = std::chrono::milliseconds{1};
    std::optional<coir::blocking_classes> classes;
    std::vector<std::string> suppressions;
    unused_rules unused = unused_rules::warn;
    std::string baseline;
    std::string write_baseline;

    code_options code;
    std::string strip_prefix = std::filesystem::current_path().string();

    std::string engine = "trap";  // value of COIR_BLOCKING_ENGINE
    std::string required_engine;  // empty: none
    std::chrono::milliseconds stall_threshold{100};
    std::optional<std::chrono::nanoseconds> timeout;
    std::chrono::nanoseconds wait{0};  // for processes that outlive the program
    bool follow_forks = true;
    bool allow_empty = false;
    std::string log_dir;  // empty: use a temporary folder
};

/// Parses the command line. For `--help`, `--version` or an error, writes the text to `out` or `errors` and sets
/// `status` to the exit status of the tool.
[[nodiscard]] options read_command_line(const std::vector<std::string>& arguments, std::optional<int>& status,
                                        std::ostream& out, std::ostream& errors);

}  // namespace detector
