#include "net/tls/tls_sessions.hpp"

#include "sync/parker.hpp"

#include <algorithm>
#include <utility>

namespace coir::detail {

void tls_sessions::keep(const std::string& server, tls_session session) {
    const internal_lock_guard lock{mutex_};
    if (all_.size() == sessions_max) {
        const auto [first, last] = by_server_.equal_range(all_.front().server);
        by_server_.erase(std::find_if(first, last, [&](const auto& each) { return each.second == all_.begin(); }));
        all_.pop_front();
    }
    all_.push_back({server, std::move(session)});
    by_server_.emplace(all_.back().server, std::prev(all_.end()));
}

tls_session tls_sessions::take(const std::string& server) {
    const internal_lock_guard lock{mutex_};
    const auto found = by_server_.find(server);
    if (found == by_server_.end()) return nullptr;
    const auto at = found->second;
    SSL_SESSION* const session = at->session.get();
    const bool is_used_up =
        ::SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION || ::SSL_SESSION_is_resumable(session) != 1;
    ::SSL_SESSION_up_ref(session);
    if (is_used_up) {
        by_server_.erase(found);
        all_.erase(at);
    }
    return tls_session{session};
}

}  // namespace coir::detail
