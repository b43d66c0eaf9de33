#pragma once

#include <coir/deadline.hpp>
#include <coir/process/process.hpp>
#include <coir/process/process_options.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace coir {

/// What a process has left.
struct process_result {
    exit_status status;
    std::string output;
    std::string error;
};

/// Runs a program to its end: gives it `input`, and takes what it writes, all at the same time. Where the options leave
/// a descriptor `inherited` it is a pipe here; what they redirect is left empty in the result
/// (`redirection::descriptor(2)` is the program's own). Input that the process does not read is no error.
///
/// Waits until the process has ended, and its output too: all who have inherited that have closed it. Throws
/// `timed_out`, `cancelled`, `scope_expired`; `std::system_error` as `process::spawn`, and with `message_size` when
/// there is more output than `output_bytes_max`. The process is then killed, and gone.
///
/// @code
/// const auto sorted = coir::run_process({"sort"}, "b\na\n");
/// if (!sorted.status.success() || sorted.output != "a\nb\n") throw std::logic_error{sorted.error};
/// @endcode
[[nodiscard]] process_result run_process(std::vector<std::string> arguments, std::string_view input = {},
                                         process_options options = {}, deadline until = never);

}  // namespace coir
