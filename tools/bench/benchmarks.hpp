#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bench {

/// The exit status of a contender that cannot run on this machine, as opposed to one that failed.
constexpr int exit_unavailable = 77;

/// One side of a benchmark: a program of the build directory with its arguments, in full and for a smoke test. In front
/// of it, `NAME=value` sets a variable of its environment.
struct contender {
    std::string name;
    std::string full;
    std::string smoke;
};

/// What coir is held against: another contender's figure (of the same metric, unless another is named) and the
/// highest ratio, coir to the other, that meets the target. Without one, the ratio is shown only.
struct versus {
    std::string name;
    std::optional<double> limit = std::nullopt;
    std::string metric = {};
};

/// One figure of coir's, with a limit of its own or others to be compared with.
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

/// The table, in the order in which it is run and printed: what needs no network first.
std::vector<benchmark> fiber_benchmarks();
std::vector<benchmark> network_benchmarks();

}  // namespace bench
