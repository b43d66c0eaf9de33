#pragma once

#include <coir/net/endpoint.hpp>

#include <cstdint>
#include <system_error>

namespace coir::detail {

/// The file that a Unix socket is bound to, where its name is not an abstract one: which file it is, as another one may
/// take its path.
class socket_file {
public:
    /// bind(2) of a socket of that type. The file of a socket that nobody has open any more is replaced.
    std::error_code bind(int fd, const net::endpoint& at, int type);

    /// Removes the file that `fd` was bound to, if it still stands where it was. Not in a process that was forked
    /// since: it is the parent's.
    void remove(int fd) noexcept;

private:
    std::uint64_t device_ = 0;
    std::uint64_t number_ = 0;  // 0: there is none
    unsigned made_after_ = 0;   // forks
};

}  // namespace coir::detail
