#pragma once

#include <coir/process/prefork_options.hpp>

#include "base/unique_fd.hpp"

#include <string>
#include <vector>

namespace coir::detail {

/// The sockets on which the workers listen. The parent has all of them, and keeps them open while workers come and go.
class listen_sockets {
public:
    /// Those that systemd has handed over, or else bound as the options say. Throws `std::system_error`, naming the
    /// descriptor or the endpoint.
    listen_sockets(const prefork_options& options, unsigned workers);

    /// In a worker: its own. All others are closed.
    std::vector<unique_fd> take(unsigned worker);

    void close() noexcept { sets_.clear(); }

    /// "127.0.0.1:80 and [::1]:80", "nothing".
    [[nodiscard]] std::string to_string() const;

private:
    using set = std::vector<unique_fd>;

    std::vector<set> sets_;  // one for all workers, or one for each
    std::vector<net::endpoint> names_;
};

}  // namespace coir::detail
