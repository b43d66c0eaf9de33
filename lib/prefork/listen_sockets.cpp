#include "prefork/listen_sockets.hpp"

#include <coir/net/tcp.hpp>

#include "prefork/socket_activation.hpp"

#include <utility>

namespace coir::detail {

listen_sockets::listen_sockets(const prefork_options& options, unsigned workers) {
    set activated = take_activated_sockets();
    for (unique_fd& each : activated) {
        net::tcp_listener checked = net::tcp_listener::adopt(each.get());
        static_cast<void>(each.release());
        names_.push_back(checked.local_endpoint());
        each = unique_fd{checked.release()};
    }
    if (!activated.empty()) {
        sets_.push_back(std::move(activated));
        return;
    }
    names_ = options.listen;
    for (unsigned i = 0; i < (options.reuse_port ? workers : 1); ++i) {
        set& made = sets_.emplace_back();
        for (net::endpoint& at : names_) {
            net::tcp_listener bound = net::tcp_listener::bind(at, {.reuse_port = options.reuse_port});
            at = bound.local_endpoint();  // port 0 becomes the chosen port, which the next worker's socket must share
            unique_fd owned{bound.release()};  // first, since the vector may have no memory
            made.push_back(std::move(owned));
        }
    }
}

std::vector<unique_fd> listen_sockets::take(unsigned worker) {
    set own = std::move(sets_[sets_.size() == 1 ? 0 : worker]);
    close();
    return own;
}

std::string listen_sockets::to_string() const {
    std::string all;
    for (const net::endpoint& each : names_) all += (all.empty() ? "" : " and ") + each.to_string();
    return all.empty() ? "nothing" : all;
}

}  // namespace coir::detail
