// Runs the contenders of every benchmark in turn, round after round, and prints the table of medians and ratios.
//
//     compare [--filter text] [--rounds n] [--smoke] [--programs directory]

#include "benchmarks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <map>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace bench {
namespace {

struct options {
    std::string filter;
    std::size_t rounds = 7;
    bool smoke = false;
    std::filesystem::path programs;
};

using samples = std::vector<double>;
using metrics = std::map<std::string, samples>;

/// One contender of one benchmark with all values that it reported.
struct entry {
    const contender* who;
    metrics measured;
    std::string absent;  // the reason if it cannot run
};

struct totals {
    int met = 0;
    int missed = 0;
    int failed = 0;
};

// ---- running a contender ---------------------------------------------------------------------------------------

std::vector<std::string> words(const std::string& text) {
    std::istringstream stream{text};
    std::vector<std::string> result;
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
}

/// A contender's command line, in shell syntax: `NAME=value program argument...`.
struct command_line {
    explicit command_line(const std::string& text) : arguments{words(text)} {
        const auto program =
            std::ranges::find_if(arguments, [](const auto& word) { return word.find('=') == word.npos; });
        environment.assign(arguments.begin(), program);
        arguments.erase(arguments.begin(), program);
    }

    std::vector<std::string> environment;
    std::vector<std::string> arguments;
};

/// Runs `command` and returns its output; its exit status goes to `status`.
std::string output_of(const command_line& command, int& status) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::perror("pipe2"), std::exit(EXIT_FAILURE);
    const pid_t child = fork();
    if (child < 0) std::perror("fork"), std::exit(EXIT_FAILURE);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        std::vector<char*> argv;
        for (const auto& word : command.arguments) argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        for (const auto& setting : command.environment) putenv(const_cast<char*>(setting.c_str()));
        execv(argv[0], argv.data());
        std::perror(argv[0]);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    close(ends[0]);
    waitpid(child, &status, 0);
    return text;
}

/// Runs `one` once and records the values that it reports. Returns false if it crashed or failed.
bool run_once(entry& one, const options& how, bool counted) {
    command_line command{how.smoke ? one.who->smoke : one.who->full};
    const auto program = how.programs / command.arguments[0];
    if (!std::filesystem::exists(program)) {
        one.absent = "not built";
        return true;
    }
    command.arguments[0] = program.string();
    int status = 0;
    const auto text = output_of(command, status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == exit_unavailable) {
        one.absent = "not available";
        return true;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        one.absent = "FAILED";
        std::fprintf(stderr, "failed (%s %d):", WIFSIGNALED(status) ? "signal" : "exit status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        for (const auto& word : command.arguments) std::fprintf(stderr, " %s", word.c_str());
        std::fputc('\n', stderr);
        return false;
    }
    if (!counted) return true;
    std::istringstream lines{text};
    std::string metric;
    for (double value; lines >> metric >> value;) one.measured[metric].push_back(value);
    return true;
}

/// Runs all contenders once, then all once more, and so on: other load on the machine affects all of them alike.
std::vector<entry> run_rounds(const benchmark& what, const options& how, totals& sum) {
    std::vector<entry> entries;
    for (const auto& who : what.contenders) entries.push_back({&who, {}, {}});
    for (std::size_t round = 0; round <= how.rounds; ++round) {
        if (isatty(STDERR_FILENO))
            std::fprintf(stderr, "\r%s: round %zu of %zu\033[K", what.name.c_str(), round, how.rounds);
        const bool warm_up = round == 0 && !how.smoke;  // loads programs into the page cache; not counted
        if (round == 0 && !warm_up) continue;
        for (auto& each : entries)
            if (each.absent.empty() && !run_once(each, how, !warm_up)) ++sum.failed;
    }
    if (isatty(STDERR_FILENO)) std::fputs("\r\033[K", stderr);
    return entries;
}

// ---- printing --------------------------------------------------------------------------------------------------

/// The interpolated value below which the fraction `part` of the samples lies.
double quantile(samples values, double part) {
    std::sort(values.begin(), values.end());
    const double at = part * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const auto above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

double median(const samples& values) { return quantile(values, 0.5); }

std::string number(double value) {
    char text[32];
    const int decimals = std::abs(value) >= 1000 ? 0 : std::abs(value) >= 100 ? 1 : std::abs(value) >= 10 ? 2 : 3;
    std::snprintf(text, sizeof text, "%.*f", value == std::floor(value) ? 0 : decimals, value);
    return text;
}

const samples* find(const std::vector<entry>& entries, const std::string& who, const std::string& metric) {
    for (const auto& each : entries) {
        if (each.who->name != who) continue;
        const auto found = each.measured.find(metric);
        return found == each.measured.end() || found->second.empty() ? nullptr : &found->second;
    }
    return nullptr;
}

std::string why_absent(const std::vector<entry>& entries, const std::string& who) {
    for (const auto& each : entries)
        if (each.who->name == who) return each.absent.empty() ? "no value" : each.absent;
    return "no contender";
}

struct cells {
    std::string name, ours, spread, baseline, theirs, their_spread, ratio, target, verdict;
};

void print(const cells& row) {
    std::printf("%-50s %10s  %-17s  %-17s %10s  %-17s %7s  %-8s %s\n", row.name.c_str(), row.ours.c_str(),
                row.spread.c_str(), row.baseline.c_str(), row.theirs.c_str(), row.their_spread.c_str(),
                row.ratio.c_str(), row.target.c_str(), row.verdict.c_str());
    std::fflush(stdout);
}

std::string spread(const samples& values) {
    return number(quantile(values, 0.25)) + " .. " + number(quantile(values, 0.75));
}

std::string judge(double value, double limit, const options& how, totals& sum) {
    if (how.smoke) return "-";  // such small sizes are not meaningful
    const bool met = value <= limit;
    ++(met ? sum.met : sum.missed);
    return met ? "ok" : "MISS";
}

void print_line(const benchmark& what, const line& one, const std::vector<entry>& entries, const options& how,
                totals& sum) {
    cells row;
    row.name = what.name + ", " + one.label;
    const samples* ours = find(entries, "coir", one.metric);
    if (ours) {
        row.ours = number(median(*ours));
        row.spread = spread(*ours);
    } else {
        row.ours = why_absent(entries, "coir");
    }
    if (one.limit) {
        row.target = "<= " + number(*one.limit);
        row.verdict = ours ? judge(median(*ours), *one.limit, how, sum) : "-";
        print(row);
        row = {};
    }
    for (const auto& other : one.against) {
        row.baseline = other.name;
        if (const samples* theirs = find(entries, other.name, other.metric.empty() ? one.metric : other.metric)) {
            row.theirs = number(median(*theirs));
            row.their_spread = spread(*theirs);
            const double ratio = ours ? median(*ours) / median(*theirs) : NAN;
            if (ours) row.ratio = number(std::round(ratio * 1000) / 1000);
            if (other.limit) {
                row.target = "<= " + number(*other.limit) + "x";
                row.verdict = ours ? judge(ratio, *other.limit, how, sum) : "-";
            }
        } else {
            row.theirs = why_absent(entries, other.name);
        }
        print(row);
        row = {};
    }
    if (!one.limit && one.against.empty()) print(row);
}

options parse(int argc, char** argv) {
    options how;
    how.programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const auto value = [&]() -> std::string {
            if (++i < argc) return argv[i];
            std::fprintf(stderr, "%s needs a value\n", option.c_str());
            std::exit(2);
        };
        if (option == "--filter") {
            how.filter = value();
        } else if (option == "--rounds") {
            how.rounds = std::max<std::size_t>(1, std::strtoul(value().c_str(), nullptr, 10));
        } else if (option == "--smoke") {
            how.smoke = true;
            how.rounds = 1;
        } else if (option == "--programs") {
            how.programs = value();
        } else {
            std::fprintf(stderr, "usage: %s [--filter text] [--rounds n] [--smoke] [--programs directory]\n", argv[0]);
            std::exit(2);
        }
    }
    return how;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    using namespace bench;
    const auto how = parse(argc, argv);
    totals sum;
    print({"benchmark, unit", "coir", "[quartiles]", "baseline", "median", "[quartiles]", "ratio", "target", ""});
    auto table = fiber_benchmarks();
    std::ranges::move(network_benchmarks(), std::back_inserter(table));
    for (const auto& what : table) {
        if (what.name.find(how.filter) == std::string::npos) continue;
        const auto entries = run_rounds(what, how, sum);
        for (const auto& one : what.lines) print_line(what, one, entries, how, sum);
    }
    std::printf("\n%d targets met, %d missed, %d runs failed; medians of %zu rounds\n", sum.met, sum.missed, sum.failed,
                how.rounds);
    return sum.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
