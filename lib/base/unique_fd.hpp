#pragma once

#include <unistd.h>
#include <utility>

namespace coir::detail {

/// Owns a file descriptor, or none (-1).
class unique_fd {
public:
    unique_fd() = default;
    explicit unique_fd(int fd) noexcept : fd_{fd} {}
    unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        unique_fd{std::move(other)}.swap(*this);
        return *this;
    }
    ~unique_fd() {
        // close(2) releases the descriptor also if it fails with EINTR, so it is never retried.
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    void swap(unique_fd& other) noexcept { std::swap(fd_, other.fd_); }

    int fd_ = -1;
};

}  // namespace coir::detail
