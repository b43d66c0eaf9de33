#pragma once

#include "base/unique_fd.hpp"

#include <signal.h>

namespace coir::detail {

/// SIGTERM, SIGINT and SIGHUP, blocked and read from a descriptor while this lives. A worker inherits the mask: a
/// signal that comes before it has a handler waits for it.
class parent_signals {
public:
    /// Throws `std::system_error`.
    parent_signals();
    ~parent_signals();
    parent_signals(const parent_signals&) = delete;
    parent_signals& operator=(const parent_signals&) = delete;

    /// Readable when one has come.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// The next one; 0: none.
    [[nodiscard]] int take() noexcept;

    /// In a worker, which has the mask and not the descriptor.
    void close() noexcept { fd_ = {}; }

    /// The mask as it was before.
    [[nodiscard]] const sigset_t& before() const noexcept { return before_; }

private:
    sigset_t before_;
    unique_fd fd_;
};

}  // namespace coir::detail
