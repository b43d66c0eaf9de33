#pragma once

#include <coir/deadline.hpp>
#include <coir/process/process.hpp>
#include <coir/process/process_options.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace coir {

/// The result of a process that has ended.
struct process_result {
    exit_status status;
    std::string output;
    std::string error;
};

/// Runs a program to its end: writes `input` to it, and reads its output, all at the same time. A descriptor that the
/// options do not redirect is a pipe here. If the options redirect a descriptor, its result is empty. To let the
/// process write to this program's standard error, use `redirection::descriptor(2)`. Input that the process does not
/// read is no error.
///
/// Waits until the process has ended and its output has ended, that is, until every process that inherited the output
/// has closed it. Throws `timed_out`, `cancelled`, `scope_expired`; `std::system_error` as `process::spawn`, and with
/// `message_size` if there is more output than `output_bytes_max`. After an exception, the process has been killed and
/// has ended.
///
/// @code
/// const auto sorted = coir::run_process({"sort"}, "b\na\n");
/// if (!sorted.status.success() || sorted.output != "a\nb\n") throw std::logic_error{sorted.error};
/// @endcode
[[nodiscard]] process_result run_process(std::vector<std::string> arguments, std::string_view input = {},
                                         process_options options = {}, deadline until = never);

}  // namespace coir
