#pragma once

#include <coir/process/environment.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace coir {

/// What one of a process's first three descriptors is.
class redirection {
public:
    enum class kind : std::uint8_t { inherited, pipe, null, file, append, descriptor, standard_output };

    /// The program's own.
    redirection() noexcept = default;
    static redirection inherited() noexcept { return {}; }

    /// A pipe, whose other end is a stream of the `process`.
    static redirection pipe() noexcept { return redirection{kind::pipe}; }

    /// /dev/null: no input; output is dropped.
    static redirection null() noexcept { return redirection{kind::null}; }

    /// A file, from its beginning: read as input; as output emptied, or made where there is none. The path is the
    /// program's, and not relative to the working directory of the process. A pipe, a socket or a directory is refused.
    static redirection file(std::filesystem::path path) { return redirection{kind::file, std::move(path)}; }

    /// A file, to whose end output is written; made where there is none.
    static redirection append(std::filesystem::path path) { return redirection{kind::append, std::move(path)}; }

    /// What `fd` stands for, be it non-blocking or not; it stays the caller's, and stays open until `spawn` has
    /// returned.
    static redirection descriptor(int fd) noexcept { return redirection{kind::descriptor, {}, fd}; }

    /// Of standard error: what standard output is.
    static redirection standard_output() noexcept { return redirection{kind::standard_output}; }

    [[nodiscard]] kind what() const noexcept { return kind_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    explicit redirection(kind what, std::filesystem::path path = {}, int fd = -1) noexcept
        : kind_{what}, path_{std::move(path)}, fd_{fd} {}

    kind kind_ = kind::inherited;
    std::filesystem::path path_;
    int fd_ = -1;
};

/// How a process is started.
struct process_options {
    /// Exactly these; by default those that the program has when these options are made.
    coir::environment environment = coir::environment::inherited();

    /// Empty: the program's.
    std::filesystem::path working_directory{};

    redirection standard_input{};
    redirection standard_output{};
    redirection standard_error{};

    /// Puts it into a process group of its own (setpgid(2)): Ctrl-C in the terminal does not reach it, and a signal
    /// that is sent to it, or kills it, reaches all that it has started and that has not left the group.
    bool own_group = false;

    /// Of `run_process`: more output than that, or more of errors, is a failure.
    std::size_t output_bytes_max = std::size_t{64} << 20;
};

}  // namespace coir
