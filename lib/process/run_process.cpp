#include <coir/detail/base/throw_if.hpp>
#include <coir/error.hpp>
#include <coir/process/run_process.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>

#include <algorithm>

namespace coir {

namespace {

std::string operation(const std::string& program) { return "run_process '" + program + "'"; }

void write_input(io::writer& into, std::string_view input, const std::string& name) {
    std::error_code ec;
    into.write_all(std::as_bytes(std::span{input}), never, ec);
    into.close();
    // The process may end before it has read all input.
    if (ec != std::errc::broken_pipe) detail::throw_if(ec, name);
}

std::string read_output(io::reader& from, std::size_t bytes_max, const std::string& name) {
    std::string all;
    for (std::size_t size = 0;;) {
        // Reads one byte more than the limit, to detect that the output exceeds it.
        const std::size_t piece = std::clamp(size, std::size_t{4} << 10, std::size_t{256} << 10);
        all.resize(std::min(bytes_max, size + piece - 1) + 1);
        const std::size_t n = from.read_some(std::as_writable_bytes(std::span{all}.subspan(size)));
        size += n;
        if (n == 0) {
            all.resize(size);
            return all;
        }
        if (size <= bytes_max) continue;
        this_fiber::throw_if_stopped();  // the other stream has already exceeded the limit
        throw std::system_error{std::make_error_code(std::errc::message_size),
                                name + " exceeds the limit of " + std::to_string(bytes_max) +
                                    " bytes (process_options::output_bytes_max)"};
    }
}

/// Redirects a stream for which the options set no redirection.
void redirect(redirection& which, const redirection& to) {
    if (which.what() == redirection::kind::inherited) which = to;
}

process_result run_to_end(std::vector<std::string> arguments, std::string_view input, process_options options) {
    const std::string name = operation(arguments.empty() ? "" : arguments.front());
    const std::size_t bytes_max = options.output_bytes_max;
    redirect(options.standard_input, input.empty() ? redirection::null() : redirection::pipe());
    redirect(options.standard_output, redirection::pipe());
    redirect(options.standard_error, redirection::pipe());
    const auto is_pipe = [](const redirection& which) { return which.what() == redirection::kind::pipe; };
    if (!is_pipe(options.standard_input) && !input.empty()) {
        throw std::system_error{
            std::make_error_code(std::errc::invalid_argument),
            name + ": an input is given, and standard input is also redirected; give only one of them"};
    }
    const bool has_input = is_pipe(options.standard_input);
    const bool has_output = is_pipe(options.standard_output);
    const bool has_error = is_pipe(options.standard_error);

    process_result result;
    process runs = process::spawn(std::move(arguments), std::move(options));
    task_group transfers;
    if (has_input) transfers.spawn([&] { write_input(runs.standard_input(), input, name + ": standard input"); });
    if (has_output) {
        transfers.spawn(
            [&] { result.output = read_output(runs.standard_output(), bytes_max, name + ": standard output"); });
    }
    if (has_error) {
        transfers.spawn(
            [&] { result.error = read_output(runs.standard_error(), bytes_max, name + ": standard error"); });
    }
    transfers.wait();
    result.status = runs.wait();
    return result;
}

}  // namespace

process_result run_process(std::vector<std::string> arguments, std::string_view input, process_options options,
                           deadline until) {
    const std::string program = arguments.empty() ? "" : arguments.front();
    const timeout_scope limit{until};
    try {
        return run_to_end(std::move(arguments), input, std::move(options));
    } catch (const scope_expired& expiry) {
        if (!expiry.belongs_to(limit)) throw;
    }
    throw timed_out{operation(program).c_str()};
}

}  // namespace coir
