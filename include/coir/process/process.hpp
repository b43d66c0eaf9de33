#pragma once

#include <coir/deadline.hpp>
#include <coir/io/pipe.hpp>
#include <coir/process/process_options.hpp>

#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coir {

/// How a process ended.
struct exit_status {
    int code = 0;              // what its main returned, 0 to 255; -1 if a signal ended it
    int signal = 0;            // the signal that ended it; 0: none
    bool core_dumped = false;  // whether that signal caused a core dump

    [[nodiscard]] bool success() const noexcept { return code == 0; }

    /// For messages: "exit code 1", "killed by SIGSEGV, core dumped".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// A program that runs in a process of its own, as a child of this one. coir detects its end with a pidfd
/// (pidfd_open(2), Linux 5.4), never with SIGCHLD, so neither the program's signal handlers nor its other children
/// interfere. Without pidfd (old kernel, seccomp filter), one thread for each process waits for its end.
///
/// If no call has observed the end of the process, the destructor kills it (SIGKILL) and waits until it has ended. In a
/// fiber, this wait suspends the fiber, shielded; outside a fiber, it blocks the thread. So a stopped fiber leaves no
/// process behind, not even a zombie. A process that cannot be killed, such as one of another user (sudo), is waited
/// for.
///
/// Move-only. Belongs to the scheduler of the fiber that started it; a call from another one throws `wrong_scheduler`.
/// Any number of fibers may wait for it. Must outlive these waits; otherwise the program aborts.
///
/// @code
/// auto sort = coir::process::spawn({"sort", "-r"}, {.standard_input = coir::redirection::pipe(),
///                                                   .standard_output = coir::redirection::pipe()});
/// sort.standard_input().write_all("a\nb\n");
/// sort.standard_input().close();
/// std::array<std::byte, 4> lines;
/// if (sort.standard_output().read_exactly(lines) != 4 || lines[0] != std::byte{'b'}) throw std::logic_error{"sort"};
/// if (!sort.wait(10s).success()) throw std::logic_error{"sort"};
/// @endcode
class process {
public:
    /// Empty: no process.
    process() noexcept;
    process(process&& other) noexcept;
    /// Ends the process that this handle has, as the destructor does.
    process& operator=(process&& other) noexcept;
    ~process();

    /// Starts the program `arguments[0]` and passes it all of `arguments`; no shell is involved. If `arguments[0]` has
    /// no slash, the program is searched for in the `PATH` of the process's own environment ("/bin:/usr/bin" if there
    /// is none). Relative paths are relative to the working directory of the process.
    ///
    /// The process gets its three standard descriptors and no others. Signals that are blocked in the calling thread
    /// are blocked in the process, and signals that the program ignores are ignored. SIGPIPE is the exception, because
    /// `run` blocks it and servers often ignore it: it is unblocked in the process, with its default action. The
    /// process may run on all processors that the program may use.
    ///
    /// The fiber is suspended while a thread for files starts the process. A stop or an expiry that arrives
    /// meanwhile is delivered at the first suspension afterwards. Throws `cancelled` or `scope_expired` if one was due
    /// before; then nothing was started. Throws `not_in_fiber`, and `std::system_error` that names the program, and the
    /// directory or file if that is the cause: `no_such_file_or_directory`, `permission_denied`,
    /// `executable_format_error`, `argument_list_too_long`, `too_many_files_open`, and `invalid_argument` if
    /// `arguments` is empty or contains NUL characters.
    [[nodiscard]] static process spawn(std::vector<std::string> arguments, process_options options = {});

    /// The process id (pid), also after the process has ended. 0 for an empty handle.
    [[nodiscard]] pid_t id() const noexcept;

    /// This program's ends of the pipes to the standard descriptors of the process. Throws `std::logic_error` if the
    /// descriptor is no pipe. The process reaches the end of its input when the pipe is closed:
    /// `standard_input().close()`. A pipe holds about 64 KiB: a process that writes more waits until the pipe is read.
    /// The output ends once the process, and every process that inherited the descriptor, has closed it.
    [[nodiscard]] io::writer& standard_input();
    [[nodiscard]] io::reader& standard_output();
    [[nodiscard]] io::reader& standard_error();

    /// Waits until the process has ended; returns at once if it has. Throws `timed_out`, `cancelled`, `scope_expired`:
    /// then the process runs on. Throws `std::system_error` (`no_child_process`) if its status was collected elsewhere:
    /// by a wait(2) for any child, or by the system because the program ignores SIGCHLD.
    exit_status wait(deadline until = never);

    /// As `wait`, but empty if the process still runs. Never suspends.
    [[nodiscard]] std::optional<exit_status> try_wait();

    /// Sends a signal. Has no effect after the process has ended; never reaches another process that has got the same
    /// process id. Throws `std::system_error`: `invalid_argument`, `operation_not_permitted` if the process belongs to
    /// another user.
    void send_signal(int signal);

    /// `terminate` sends SIGTERM, which asks the process to end. `kill` sends SIGKILL, which ends it. Neither waits for
    /// the end: `wait` does.
    void terminate();
    void kill();

    /// Sends SIGTERM, waits, and sends SIGKILL if the process has not ended within `grace`. Returns how it ended.
    /// Throws what `wait` throws. If a stop or a timeout scope cuts the call short, it has sent SIGTERM but not
    /// SIGKILL.
    ///
    /// @code
    /// auto sleep = coir::process::spawn({"sleep", "1000"});
    /// if (sleep.terminate_then_kill(10s).signal != SIGTERM) throw std::logic_error{"sleep"};
    /// @endcode
    exit_status terminate_then_kill(deadline grace);

    /// Detaches the process, which runs on, and closes the streams. The caller then has to collect its status
    /// (waitpid(2)): until then, a process that has ended stays a zombie. Returns the process id; 0 if there is no
    /// status to collect.
    pid_t release() noexcept;

private:
    class child;

    [[nodiscard]] child& checked(const char* operation) const;

    std::unique_ptr<child> child_;
};

}  // namespace coir
