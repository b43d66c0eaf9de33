#pragma once

#include "base/unique_fd.hpp"

#include <signal.h>

namespace coir::detail {

/// Blocks SIGTERM, SIGINT and SIGHUP during its lifetime and reads them from a descriptor. A worker inherits the mask,
/// so a signal that arrives before the worker has a handler stays pending. The destructor discards pending signals and
/// restores the mask.
class parent_signals {
public:
    enum class with { stop_signals, ends_of_children };  // the latter: SIGCHLD too, unless the program has a handler

    /// Throws `std::system_error`.
    explicit parent_signals(with which);
    ~parent_signals();
    parent_signals(const parent_signals&) = delete;
    parent_signals& operator=(const parent_signals&) = delete;

    /// Readable when a signal is pending.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// The number of the next pending signal; 0 if there is none. Never waits.
    [[nodiscard]] int take() noexcept;

    /// In a worker: closes the inherited descriptor and leaves the mask as it is.
    void close() noexcept { fd_ = {}; }

    /// The signal mask before the constructor changed it.
    [[nodiscard]] const sigset_t& before() const noexcept { return before_; }

private:
    sigset_t before_;
    unique_fd fd_;
};

}  // namespace coir::detail
