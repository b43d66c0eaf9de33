#pragma once

#include "base/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <sys/types.h>

namespace coir::detail {

struct child_limits {
    std::chrono::milliseconds time = std::chrono::seconds{10};
    std::size_t memory = std::size_t{2} << 30;  // beyond the address space of this process
};

/// A child process, a copy of this one, for work that may crash, exit, hang or use much memory: none of that happens to
/// this process.
///
/// The program does not notice the child: it gets no SIGCHLD, and wait(2) for any child neither sees it nor waits for it
/// (except with __WALL or __WCLONE); functions of pthread_atfork(3), atexit(3) and signal handlers do not run in it. The
/// child closes all descriptors but one and ends when the calling thread ends; if memory runs out, the kernel kills the
/// child before this process. In the child only the calling thread exists. Another thread may have held a lock of malloc:
/// then the child never gets the lock.
///
/// The parent's side is async-signal-safe.
class unseen_child {
public:
    /// What the child does, with the argument of the constructor. If it returns false, throws or calls exit(3), the exit
    /// status is not 0.
    using work = bool (*)(void* argument);

    /// Starts the child. `kept` is the descriptor that stays open in it.
    unseen_child(work run, void* argument, int kept, const child_limits& limits) noexcept;

    /// Kills the child.
    ~unseen_child();

    unseen_child(const unseen_child&) = delete;
    unseen_child& operator=(const unseen_child&) = delete;

    /// The errno if there is no child; otherwise 0.
    [[nodiscard]] int error() const noexcept { return error_; }

    /// Waits for up to 10 ms, until the child has ended or `input` is readable (-1: none). Returns true if so. Before
    /// Linux 5.2, the end is not noticed.
    [[nodiscard]] bool wait_a_little(int input) const noexcept;

    /// The processor time that the child has used, in nanoseconds.
    [[nodiscard]] std::int64_t processor_time() const noexcept;

private:
    unique_fd pidfd_;
    pid_t pid_ = 0;
    int error_ = 0;
};

}  // namespace coir::detail
