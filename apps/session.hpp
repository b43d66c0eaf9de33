#pragma once

#include <coir/coir.hpp>
#include <coir/net/asio.hpp>
#include <coir/net/tls.hpp>

#include "url.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// A connection, plain or with TLS.
class http_connection {
public:
    http_connection(const url& to, const coir::net::tls_context& tls, coir::deadline until)
        : stream_{to.is_secure ? either{coir::net::tls_stream::connect(tls, to.host, to.port, until)}
                               : either{coir::net::tcp_stream::connect(to.host, to.port, until)}} {}

    // The operations that `asio_stream` requires.
    template <class Places> std::size_t read_some(Places into, coir::deadline until, std::error_code& ec) {
        return std::visit([&](auto& stream) { return stream.read_some(into, until, ec); }, stream_);
    }
    template <class Places> std::size_t write_some(Places from, coir::deadline until, std::error_code& ec) {
        return std::visit([&](auto& stream) { return stream.write_some(from, until, ec); }, stream_);
    }

    /// Whether the connection is still open and has no unexpected data.
    [[nodiscard]] bool is_quiet() {
        std::error_code ec;
        std::byte unexpected;
        read_some(std::span{&unexpected, 1}, std::chrono::seconds{0}, ec);
        return ec == std::errc::timed_out;
    }

private:
    using either = std::variant<coir::net::tcp_stream, coir::net::tls_stream>;
    either stream_;
};

/// The final answer of a server.
struct http_answer {
    int status = 0;
    boost::beast::http::fields headers{};
    std::string text{};
    url from{};  // after redirects
};

/// The counterpart of aiohttp's ClientSession: sends requests over kept and shared connections, with redirects,
/// timeouts and TLS. Any number of fibers of one scheduler may use it.
class http_session {
public:
    struct options {
        std::ptrdiff_t connections_per_server = 10;  // further requests wait
        std::uint64_t body_max = 10 << 20;
        int redirects_max = 10;
        std::optional<coir::net::tls_context> tls{};  // default: trusts the certificate authorities of the system
    };

    http_session() : http_session{options{}} {}
    explicit http_session(options chosen)
        : options_{std::move(chosen)}, tls_{options_.tls ? *options_.tls : coir::net::tls_context::client()} {}

    /// `until` limits the whole request: waiting for a free connection, name resolution, connecting, redirects and the
    /// answer. Throws `coir::timed_out`, `std::system_error` and `boost::system::system_error`, `std::invalid_argument`
    /// if the URL is malformed, and `std::runtime_error` after too many redirects.
    http_answer get(std::string_view where, coir::deadline until = std::chrono::seconds{30}) {
        return ask(boost::beast::http::verb::get, where, {}, until);
    }
    http_answer post(std::string_view where, std::string body, coir::deadline until = std::chrono::seconds{30}) {
        return ask(boost::beast::http::verb::post, where, std::move(body), until);
    }

    [[nodiscard]] int connections_made() const noexcept { return made_; }

private:
    using verb = boost::beast::http::verb;
    using connection = std::unique_ptr<http_connection>;

    struct server {
        explicit server(std::ptrdiff_t most) noexcept : turns{most} {}
        coir::counting_semaphore<> turns;
        std::vector<connection> idle;  // the most recently used one is the last
    };

    http_answer ask(verb method, std::string_view where, std::string body, coir::deadline until) {
        url to = url::parse(where);
        for (int redirects = 0; redirects <= options_.redirects_max; ++redirects) {
            http_answer answer = ask_in_turn(method, to, body, until);
            const auto location = answer.headers["Location"];
            const bool is_redirect = answer.status == 301 || answer.status == 302 || answer.status == 303 ||
                                     answer.status == 307 || answer.status == 308;
            if (!is_redirect || location.empty()) return answer;
            to = to.follow({location.data(), location.size()});
            if (answer.status <= 303) method = verb::get, body.clear();  // RFC 9110, section 15.4
        }
        throw std::runtime_error{"too many redirects, the last one to " + to.to_string()};
    }

    http_answer ask_in_turn(verb method, const url& to, const std::string& body, coir::deadline until) {
        server& of = servers_.try_emplace(to.origin(), options_.connections_per_server).first->second;
        if (!of.turns.try_acquire_until(until)) throw coir::timed_out{"http_session: a turn"};
        struct turn {
            ~turn() { turns.release(); }
            coir::counting_semaphore<>& turns;
        } const ours{of.turns};

        while (connection kept = take(of)) {
            // The server may close a kept connection at any time; then a request that changes nothing is sent again. It
            // may have been handled, so a POST may not (RFC 9110, section 9.2.2).
            if (auto answer = exchange(std::move(kept), of, method, to, body, until)) return *std::move(answer);
            if (method != verb::get) throw_unanswered(to);
        }
        auto made = std::make_unique<http_connection>(to, tls_, until);
        ++made_;
        auto answer = exchange(std::move(made), of, method, to, body, until);
        if (!answer) throw_unanswered(to);
        return *std::move(answer);
    }

    [[noreturn]] static void throw_unanswered(const url& to) {
        throw std::runtime_error{"http_session: " + to.origin() + " ends the connection without an answer"};
    }

    static connection take(server& of) {
        while (!of.idle.empty()) {
            connection kept = std::move(of.idle.back());
            of.idle.pop_back();
            if (kept->is_quiet()) return kept;
        }
        return nullptr;
    }

    /// Returns nullopt if the server closed the connection before it answered.
    std::optional<http_answer> exchange(connection by, server& of, verb method, const url& to, const std::string& body,
                                        coir::deadline until) {
        namespace http = boost::beast::http;
        coir::net::asio_stream<http_connection&> stream{*by};
        stream.expires_at(until);
        http::request<http::string_body> request{method, to.target, 11, body};
        request.set(http::field::host, to.host_and_port());
        request.set(http::field::user_agent, "coir");
        if (method != verb::get) request.prepare_payload();

        boost::system::error_code ec;
        http::write(stream, request, ec);
        boost::beast::flat_buffer buffer{64 << 10};
        std::optional<http::response_parser<http::string_body>> answer;
        do {  // others (1xx) come before the answer
            answer.emplace().body_limit(options_.body_max);
            if (!ec) http::read(stream, buffer, *answer, ec);
        } while (!ec && answer->get().result_int() / 100 == 1);
        const bool is_gone = ec == http::error::end_of_stream || ec == boost::asio::error::connection_reset ||
                             ec == boost::asio::error::broken_pipe;
        if (is_gone && !answer->got_some()) return std::nullopt;
        if (ec == boost::asio::error::timed_out) throw coir::timed_out{"http_session: an answer"};
        if (ec) throw boost::system::system_error{ec, "http_session: " + to.to_string()};
        if (answer->keep_alive() && buffer.size() == 0) of.idle.push_back(std::move(by));
        auto got = answer->release();
        return http_answer{static_cast<int>(got.result_int()), got.base(), std::move(got.body()), to};
    }

    const options options_;
    const coir::net::tls_context tls_;
    std::map<std::string, server> servers_;  // by origin
    int made_ = 0;
};
