#pragma once

#include <coir/detail/base/fork_generation.hpp>
#include <coir/net/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace coir::detail {

/// The file of a bound Unix socket, if its name is not abstract. Stores the identity of the file, since another file
/// may take its path.
class socket_file {
public:
    /// Calls bind(2) for a socket of type `type`. Replaces the file of a socket that no process has open any more.
    std::error_code bind(int fd, const net::endpoint& at, int type);

    socket_file() noexcept = default;
    socket_file(socket_file&& other) noexcept { *this = std::move(other); }
    /// Leaves `other` without a file. This one must have none.
    socket_file& operator=(socket_file&& other) noexcept {
        path_ = std::exchange(other.path_, {});
        device_ = other.device_;
        number_ = other.number_;
        bound_in_ = other.bound_in_;
        return *this;
    }

    /// Removes the file, if it still has its path. Does nothing in a process that was forked
    /// after `bind`: the file belongs to the parent.
    void remove() noexcept;

private:
    std::string path_;  // as given to bind(2); empty: no file
    std::uint64_t device_ = 0;
    std::uint64_t number_ = 0;  // inode number
    std::optional<fork_generation> bound_in_;
};

}  // namespace coir::detail
