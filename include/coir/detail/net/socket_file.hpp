#pragma once

#include <coir/detail/base/fork_generation.hpp>
#include <coir/net/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <system_error>

namespace coir::detail {

/// The file of a bound Unix socket, if its name is not abstract. Stores the identity of the file, since another file
/// may take its path.
class socket_file {
public:
    /// Calls bind(2) for a socket of type `type`. Replaces the file of a socket that no process has open any more.
    std::error_code bind(int fd, const net::endpoint& at, int type);

    /// Removes the file that `fd` was bound to, if it still has that path. Does nothing in a process that was forked
    /// after `bind`: the file belongs to the parent.
    void remove(int fd) noexcept;

private:
    std::uint64_t device_ = 0;
    std::uint64_t number_ = 0;  // inode number; 0: no file
    std::optional<fork_generation> bound_in_;
};

}  // namespace coir::detail
