#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/exit_codes.hpp"
#include "cli/options.hpp"

#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

using coir::detail::printable_lines;

int main(int count, char** arguments) try {
    std::optional<int> status;
    const detector::options requested =
        detector::read_command_line({arguments + 1, arguments + count}, status, std::cout, std::cerr);
    return status ? *status : detector::carry_out(requested);
} catch (const detector::usage_error& wrong) {
    std::cerr << "blocking-detector: " << printable_lines(wrong.what()) << '\n';
    return detector::exit_usage;
} catch (const std::exception& failure) {
    std::cerr << "blocking-detector: " << printable_lines(failure.what()) << '\n';
    return detector::exit_internal;
}
