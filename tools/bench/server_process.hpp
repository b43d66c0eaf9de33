#pragma once

#include "benchmarks.hpp"
#include "contender.hpp"
#include "loopback.hpp"

#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace bench {

/// Thrown if a server ends before it listens.
struct server_ended {
    int exit_status;
};

/// The measured server, a process of its own, which may have worker processes. The destructor ends it.
class server_process {
public:
    /// Starts a program, given by its path or its name in PATH, with its arguments.
    explicit server_process(const std::vector<std::string>& command) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
        child_ = fork();
        if (child_ < 0) fail("fork");
        if (child_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);  // the server ends with the load generator
            dup2(ends[1], STDOUT_FILENO);
            std::vector<char*> argv;
            for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
            argv.push_back(nullptr);
            execvp(argv[0], argv.data());
            fail(argv[0]);
        }
        close(ends[1]);
        output_ = fdopen(ends[0], "r");
    }

    ~server_process() {
        kill(child_, SIGTERM);
        waitpid(child_, nullptr, 0);
        std::fclose(output_);
    }

    server_process(const server_process&) = delete;
    server_process& operator=(const server_process&) = delete;

    /// The port of a server that takes a free port and prints it (`announce_port`).
    std::uint16_t announced_port() const {
        unsigned port = 0;
        if (std::fscanf(output_, "port %u", &port) == 1) return static_cast<std::uint16_t>(port);
        std::fputs("the server names no port\n", stderr);
        std::exit(EXIT_FAILURE);
    }

    /// Waits until a server with a given port listens there. Throws `server_ended`.
    void wait_until_listening(std::uint16_t port) const {
        for (int tries = 0; tries < 1000; ++tries, usleep(10'000)) {
            const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            const sockaddr_in address = at_loopback(port);
            const bool is_there = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
            close(fd);
            if (is_there) return;
            siginfo_t end{};  // WNOWAIT below keeps the pid reserved until the destructor
            if (waitid(P_PID, static_cast<id_t>(child_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid != 0)
                throw server_ended{end.si_code == CLD_EXITED ? end.si_status : EXIT_FAILURE};
        }
        fail("the server does not listen");
    }

    /// User and system time so far, in seconds, of all threads, including those of its workers.
    double cpu_seconds() const {
        double sum = 0;
        for (const pid_t each : with_workers()) {
            clockid_t clock;
            timespec used;
            if (clock_getcpuclockid(each, &clock) != 0 || clock_gettime(clock, &used) != 0) fail("clock_getcpuclockid");
            sum += static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
        }
        return sum;
    }

    /// Resident memory and page tables, in bytes, including those of its workers.
    double memory_bytes() const {
        double sum = 0;
        for (const pid_t each : with_workers()) sum += bench::memory_bytes(std::to_string(each));
        return sum;
    }

private:
    std::vector<pid_t> with_workers() const {
        const std::string own = std::to_string(child_);
        std::ifstream children{"/proc/" + own + "/task/" + own + "/children"};
        if (!children) fail("/proc/PID/task/TID/children");
        std::vector<pid_t> all{child_};
        for (pid_t each; children >> each;) all.push_back(each);
        return all;
    }

    pid_t child_ = -1;
    std::FILE* output_ = nullptr;
};

/// The folder of the benchmark programs.
inline std::filesystem::path program_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

/// The path of a server program, given relative to `program_folder()`. If it was not built, this process ends.
inline std::string server_program(const std::string& name) {
    const auto path = (program_folder() / name).lexically_normal();
    if (!std::filesystem::exists(path)) std::exit(exit_unavailable);
    return path;
}

}  // namespace bench
