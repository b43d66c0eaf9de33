#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace coir::detail {

/// What a child process has answered.
struct child_answer {
    enum class ending {
        answered,
        refused,    // no child could be started
        died,       // killed by a signal or by a limit, or its work threw an exception
        took_long,  // and was killed
    };

    ending how = ending::died;
    std::string text{};  // complete if `answered`
    int error = 0;       // the errno of `refused`
};

struct child_limits {
    std::chrono::milliseconds time = std::chrono::seconds{10};
    std::size_t memory = std::size_t{2} << 30;  // beyond the address space of this process
};

/// Runs `work` in a child process, a copy of this one, and returns its answer. For work that may crash, exit, hang or use
/// much memory, such as reading debug information with a library: none of that happens to this process.
///
/// The program does not notice the child: it gets no SIGCHLD, and wait(2) for any child neither sees it nor waits for it
/// (except with __WALL or __WCLONE); functions of pthread_atfork(3), atexit(3) and signal handlers do not run in it. The
/// child closes all descriptors and ends when the calling thread ends; if memory runs out, the kernel kills the child before
/// this process. In the child only the calling thread exists. Another thread may have held a lock of malloc: then the child
/// never gets the lock, is killed, and another one is tried.
///
/// Blocks the thread. Several threads may call this at the same time; each has a child of its own.
[[nodiscard]] child_answer ask_child(const std::function<std::string()>& work, const child_limits& limits = {});

}  // namespace coir::detail
