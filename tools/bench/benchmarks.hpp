#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bench {

/// The exit status of a contender that cannot run on this machine, as opposed to one that failed.
constexpr int exit_unavailable = 77;

/// One side of a benchmark: a program of the build directory with its arguments, for a full run and for a smoke test. A
/// prefix `NAME=value` sets an environment variable.
struct contender {
    std::string name;
    std::string full;
    std::string smoke;
};

/// A comparison: the value of another contender (of the same metric, unless another one is named), and the highest
/// ratio of coir to it that meets the target. Without a target, the ratio is only shown.
struct versus {
    std::string name;
    std::optional<double> limit = std::nullopt;
    std::string metric = {};
};

/// One value of coir, with a limit of its own or comparisons with others.
struct line {
    std::string label;
    std::string metric;
    std::vector<versus> against;
    std::optional<double> limit = std::nullopt;
};

struct benchmark {
    std::string name;
    std::vector<contender> contenders;
    std::vector<line> lines;
};

/// The table, in the order of running and printing: first the benchmarks without a network.
std::vector<benchmark> fiber_benchmarks();
std::vector<benchmark> network_benchmarks();

}  // namespace bench
