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

/// How a process has ended.
struct exit_status {
    int code = 0;              // what its main returned, 0 to 255; -1 when a signal has ended it
    int signal = 0;            // that has ended it; 0: none
    bool core_dumped = false;  // by that signal

    [[nodiscard]] bool success() const noexcept { return code == 0; }

    /// For messages: "exit code 1", "killed by SIGSEGV, core dumped".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// A program that runs in a process of its own, as a child of this one. Its end is told by a pidfd (pidfd_open(2),
/// Linux 5.4), never by SIGCHLD: what handlers the program has, or other children, makes no difference. Where there is
/// no pidfd, an old kernel or a seccomp filter, a thread waits for each process.
///
/// The destructor kills it (SIGKILL) if nobody has seen its end, and waits until it is gone; in a fiber that suspends,
/// shielded; outside it blocks. So a fiber that is stopped leaves no process behind, not even a zombie. What cannot be
/// killed, a program of another user (sudo), is waited for.
///
/// Move-only. Belongs to the scheduler of the fiber that has started it (`wrong_scheduler`). Any number of fibers may
/// wait for it; it must outlive their waits (checked).
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
    /// None.
    process() noexcept;
    process(process&& other) noexcept;
    /// Ends the process that it had, as the destructor does.
    process& operator=(process&& other) noexcept;
    ~process();

    /// Starts the program `arguments[0]`, with all of `arguments` as its own; no shell comes between. It is looked for
    /// in the `PATH` that the process gets ("/bin:/usr/bin" where that has none) unless it has a slash; what is
    /// relative is so to the working directory of the process.
    ///
    /// Of descriptors the process gets its three standard ones and no other. Signals that the calling thread has
    /// blocked are blocked in it, those that the program ignores are ignored; but SIGPIPE, which `run` blocks and
    /// servers often ignore, is as it is by default. It may run on all processors that the program has.
    ///
    /// The fiber is suspended while a thread of the offload pool starts it; a stop or an expiry that comes meanwhile is
    /// delivered at the first suspension afterwards. Throws `cancelled` and `scope_expired` when that is due, and then
    /// has started nothing; `not_in_fiber`; and `std::system_error` that names the program, and the directory or file
    /// when that is the cause: `no_such_file_or_directory`, `permission_denied`, `executable_format_error`,
    /// `argument_list_too_long`, `too_many_files_open`, and `invalid_argument` where no program is given, or arguments
    /// have NUL characters.
    [[nodiscard]] static process spawn(std::vector<std::string> arguments, process_options options = {});

    /// Its number (pid), also once it has ended. 0: none.
    [[nodiscard]] pid_t id() const noexcept;

    /// The other end of its standard descriptors, where they are pipes; throws `std::logic_error` otherwise. Its input
    /// ends when that is closed: `standard_input().close()`. A pipe holds some 64 KiB: a process that writes more waits
    /// until it is read. Its output ends once it, and all who have inherited that, have closed it.
    [[nodiscard]] io::writer& standard_input();
    [[nodiscard]] io::reader& standard_output();
    [[nodiscard]] io::reader& standard_error();

    /// Waits until it has ended; at once when it has. Throws `timed_out`, `cancelled`, `scope_expired`, and it runs on;
    /// `std::system_error` (`no_child_process`) when somebody else has taken its status: a wait(2) for any child, or
    /// the system, since the program ignores SIGCHLD.
    exit_status wait(deadline until = never);

    /// As `wait`, but nothing when it still runs. Never suspends.
    [[nodiscard]] std::optional<exit_status> try_wait();

    /// Sends it a signal. Nothing happens once it has ended; never reaches another process that has got its number.
    /// Throws `std::system_error`: `invalid_argument`, `operation_not_permitted` where it is another user's.
    void send_signal(int signal);

    /// Sends SIGTERM, which asks it to end; SIGKILL, which ends it. `wait` tells when it has.
    void terminate();
    void kill();

    /// Asks it to end, and kills it if it has not within `grace`. How it has ended. Throws as `wait`; cut short by a
    /// stop or a scope it has asked, and not killed.
    ///
    /// @code
    /// auto sleep = coir::process::spawn({"sleep", "1000"});
    /// if (sleep.terminate_then_kill(10s).signal != SIGTERM) throw std::logic_error{"sleep"};
    /// @endcode
    exit_status terminate_then_kill(deadline grace);

    /// Lets go of it, running as it is, and closes the streams. Its status is then the caller's to take (waitpid(2));
    /// until somebody does, it is a zombie once it has ended. Its number; 0 when there is nothing to take.
    pid_t release() noexcept;

private:
    class child;

    [[nodiscard]] child& checked(const char* operation) const;

    std::unique_ptr<child> child_;
};

}  // namespace coir
