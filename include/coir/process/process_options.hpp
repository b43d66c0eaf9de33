#pragma once

#include <coir/process/environment.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace coir {

/// What one of the three standard descriptors of a process is connected to.
class redirection {
public:
    enum class kind : std::uint8_t { inherited, pipe, null, file, append, descriptor, standard_output };

    /// The descriptor of this program.
    redirection() noexcept = default;
    static redirection inherited() noexcept { return {}; }

    /// A pipe. The other end is a stream of the `process`.
    static redirection pipe() noexcept { return redirection{kind::pipe}; }

    /// /dev/null: input is empty; output is discarded.
    static redirection null() noexcept { return redirection{kind::null}; }

    /// A file, from its beginning. As input, the file is read. As output, it is truncated, or created if it does not
    /// exist. A relative path is relative to the working directory of this program, not to that of the process. A pipe,
    /// a socket or a directory is refused.
    static redirection file(std::filesystem::path path) { return redirection{kind::file, std::move(path)}; }

    /// A file to which output is appended. It is created if it does not exist.
    static redirection append(std::filesystem::path path) { return redirection{kind::append, std::move(path)}; }

    /// The open file that `fd` refers to, non-blocking or not. The caller keeps `fd` and must keep it open until
    /// `spawn` has returned.
    static redirection descriptor(int fd) noexcept { return redirection{kind::descriptor, {}, fd}; }

    /// For standard error only: the same as standard output.
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

/// Options of `process::spawn` and `run_process`.
struct process_options {
    /// The complete environment of the process. Default: the variables of this program when the options are created.
    coir::environment environment = coir::environment::inherited();

    /// Empty: the working directory of this program.
    std::filesystem::path working_directory{};

    redirection standard_input{};
    redirection standard_output{};
    redirection standard_error{};

    /// Puts the process into a process group of its own (setpgid(2)). Ctrl-C in the terminal does not reach that group.
    /// A signal that `process` sends, SIGKILL included, reaches the whole group: the process and all its descendants
    /// that have not left the group.
    bool own_group = false;

    /// For `run_process` only: the limit for the output and, separately, for the error output. More is a failure.
    std::size_t output_bytes_max = std::size_t{64} << 20;
};

}  // namespace coir
