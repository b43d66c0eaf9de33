#pragma once

#include "base/unseen_child.hpp"

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

/// Runs `work` in a child process, a copy of this one, and returns its answer. For work that may crash, exit, hang or use
/// much memory, such as reading debug information with a library: none of that happens to this process.
///
/// The child is an `unseen_child`. If it waits for a lock of malloc that another thread held, it is killed, and another one
/// is tried.
///
/// Blocks the thread. Several threads may call this at the same time; each has a child of its own.
[[nodiscard]] child_answer ask_child(const std::function<std::string()>& work, const child_limits& limits = {});

}  // namespace coir::detail
