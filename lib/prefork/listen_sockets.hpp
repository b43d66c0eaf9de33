#pragma once

#include <coir/process/prefork_options.hpp>

#include "base/unique_fd.hpp"

#include <string>
#include <vector>

namespace coir::detail {

/// The sockets on which the workers listen. The parent owns them all and keeps them open while workers are replaced.
class listen_sockets {
public:
    /// Takes the sockets that systemd passed to the process; without any, binds those of the options. Throws
    /// `std::system_error`, which names the descriptor or the endpoint.
    listen_sockets(const prefork_options& options, unsigned workers);

    /// In a worker: returns its sockets and closes all others.
    std::vector<unique_fd> take(unsigned worker);

    void close() noexcept { sets_.clear(); }

    /// For a log: "127.0.0.1:80 and [::1]:80"; "nothing" without sockets.
    [[nodiscard]] std::string to_string() const;

private:
    using set = std::vector<unique_fd>;

    std::vector<set> sets_;  // one shared by all workers, or one per worker (`prefork_options::reuse_port`)
    std::vector<net::endpoint> names_;
};

}  // namespace coir::detail
