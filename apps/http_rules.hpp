#pragma once

#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

/// @file
/// What RFC 9110 and RFC 9112 ask of a server, and Boost.Beast leaves to the program. All three apps use it.

namespace http_rules {

namespace beast = boost::beast;
namespace http = beast::http;

/// What an answer depends on besides the resource.
struct terms {
    http::verb method = http::verb::get;
    bool is_http11 = true;
    bool stays = false;  // whether the connection stays open
};

inline terms terms_of(const http::request_header<>& asked, bool stays) {
    return {asked.method(), asked.version() == 11, stays};
}

// ---- requests ------------------------------------------------------------------------------------------------------

inline std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

inline bool consists_of(std::string_view text, std::string_view allowed) {
    return text.find_first_not_of(allowed) == std::string_view::npos;
}

/// Whether the text is a valid Host: uri-host [":" port] (RFC 9110, section 7.2), or empty.
inline bool is_host(std::string_view text) {
    constexpr std::string_view address = "0123456789abcdefABCDEF:.";
    constexpr std::string_view name_or_escape =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~%!$&'()*+,;=";
    const std::size_t colon = text.find(':', text.starts_with('[') ? text.find(']') : 0);
    const std::string_view host = text.substr(0, colon);
    if (colon != std::string_view::npos && !consists_of(text.substr(colon + 1), "0123456789")) return false;
    if (!host.starts_with('[')) return consists_of(host, name_or_escape) && (!host.empty() || text.empty());
    return host.size() > 2 && host.ends_with(']') && consists_of(host.substr(1, host.size() - 2), address);
}

/// Whether it is beyond doubt where the body ends: it is "chunked" and nothing else, or has one length (RFC 9112,
/// sections 6.1 to 6.3). Beast ignores codings that it does not know, and accepts a list of equal lengths.
template <bool is_request> bool has_clear_length(const http::header<is_request>& head) {
    const auto codings = head.count(http::field::transfer_encoding), lengths = head.count(http::field::content_length);
    const bool is_number = consists_of(view(head[http::field::content_length]), "0123456789");
    if (codings == 0) return lengths == 0 || (lengths == 1 && is_number);
    return codings == 1 && lengths == 0 && head.version() == 11 &&
           beast::iequals(head[http::field::transfer_encoding], "chunked");
}

/// Turns "GET http://host/path" into "GET /path" with "Host: host": every server has to accept it, and to ignore the
/// Host that came with it (RFC 9112, section 3.2.2). Returns whether the target is valid.
inline bool to_origin_form(http::request_header<>& asked) {
    const std::string target{asked.target()};
    if (target.find('#') != std::string::npos) return false;
    if (target.starts_with('/') || asked.method() == http::verb::connect) return true;
    if (target == "*") return asked.method() == http::verb::options;
    const std::size_t colon = target.find("://");
    if (colon == std::string::npos) return false;
    const std::size_t begin = colon + 3, end = std::min(target.find_first_of("/?", begin), target.size());
    const std::string scheme = target.substr(0, begin), host = target.substr(begin, end - begin);
    if (host.empty() || (!beast::iequals(scheme, "http://") && !beast::iequals(scheme, "https://"))) return false;
    asked.set(http::field::host, host);
    const std::string rest = target.substr(end);
    const bool is_about_server = rest.empty() && asked.method() == http::verb::options;
    asked.target(is_about_server ? "*" : rest.starts_with('/') ? rest : "/" + rest);
    return true;
}

/// The status that refuses a request without a clear length: it may end with "chunked" after codings that are unknown
/// here (RFC 9112, section 6.1).
inline http::status status_of_unclear_length(const http::request_header<>& asked) {
    std::string codings;
    const auto [first, last] = asked.equal_range(http::field::transfer_encoding);
    for (auto line = first; line != last; ++line) codings += ", " + std::string{line->value()};
    const bool are_several = std::count(codings.begin(), codings.end(), ',') > 1;
    const bool ends_chunked = beast::iequals(codings.substr(codings.find_last_of(", \t") + 1), "chunked");
    const bool has_unknown = asked.version() == 11 && are_several && ends_chunked;
    return has_unknown ? http::status::not_implemented : http::status::bad_request;
}

/// Checks the head of a request, and brings its target into the form that begins with a slash. Returns `ok`, or the
/// status to refuse it with.
inline http::status check(http::request_header<>& asked) {
    if (!has_clear_length(asked)) return status_of_unclear_length(asked);
    const auto hosts = asked.count(http::field::host);
    const bool is_addressed = hosts == 1 || (hosts == 0 && asked.version() < 11);
    return is_addressed && to_origin_form(asked) && is_host(view(asked[http::field::host])) ? http::status::ok
                                                                                            : http::status::bad_request;
}

/// The status that answers a request that cannot be read; `unknown` if the client gets no answer.
template <class Parser> http::status status_of(const beast::error_code& ec, const Parser& parser) {
    const bool is_about_http = ec.category() == make_error_code(http::error::bad_method).category();
    if (ec == boost::asio::error::timed_out)
        return parser.got_some() ? http::status::request_timeout : http::status::unknown;
    if (!is_about_http || ec == http::error::end_of_stream || ec == http::error::partial_message)
        return http::status::unknown;
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
        return parser.get().target().empty() ? http::status::uri_too_long
                                             : http::status::request_header_fields_too_large;
    if (ec == http::error::body_limit) return http::status::payload_too_large;
    if (ec == http::error::bad_version) return http::status::http_version_not_supported;
    return http::status::bad_request;
}

/// Skips an empty line in front of a request: some clients send one after a body (RFC 9112, section 2.2).
template <class Stream> void skip_empty_line(Stream& from, beast::flat_buffer& buffer, beast::error_code& ec) {
    const auto starts_with = [&](char c, std::size_t at) {
        return buffer.size() > at && static_cast<const char*>(buffer.data().data())[at] == c;
    };
    while (!ec && (buffer.size() == 0 || (buffer.size() == 1 && starts_with('\r', 0))))
        buffer.commit(from.read_some(buffer.prepare(512), ec));
    if (starts_with('\r', 0) && starts_with('\n', 1)) buffer.consume(2);
}

/// Reads and checks the head of a request. Returns `ok`, the status to refuse it with, or `unknown` if the client gets
/// no answer. Bytes that the client has sent ahead stay in the buffer.
template <class Stream, class Parser> http::status read_head(Stream& from, beast::flat_buffer& buffer, Parser& parser) {
    beast::error_code ec;
    skip_empty_line(from, buffer, ec);
    if (!ec) http::read_header(from, buffer, parser, ec);
    return ec ? status_of(ec, parser) : check(parser.get());
}

// ---- answers -------------------------------------------------------------------------------------------------------

/// The current date, such as "Sun, 06 Nov 1994 08:49:37 GMT"; formatted once a second.
inline const std::string& date() {
    static std::string text;
    static std::time_t made = 0;
    if (const std::time_t now = std::time(nullptr); std::exchange(made, now) != now) {
        std::tm parts{};
        text.resize(40);
        text.resize(std::strftime(text.data(), text.size(), "%a, %d %b %Y %T GMT", gmtime_r(&now, &parts)));
    }
    return text;
}

/// Says whether the connection stays open. A client of HTTP/1.0 expects it to end unless told otherwise.
inline void set_connection(http::response_header<>& answer, const terms& on) {
    answer.erase(http::field::connection);
    if (!on.stays) answer.set(http::field::connection, "close");
    if (on.stays && !on.is_http11) answer.set(http::field::connection, "keep-alive");
}

inline http::response<http::string_body> text(http::status status, std::string body, const terms& on) {
    http::response<http::string_body> answer{status, 11, std::move(body)};
    answer.set(http::field::date, date());
    answer.set(http::field::content_type, "text/plain");
    answer.prepare_payload();
    set_connection(answer, on);
    return answer;
}

/// Sends an answer; without its body if the request was HEAD.
template <class Stream, class Body> void send(Stream& to, http::response<Body>& answer, const terms& on) {
    http::response_serializer<Body> serializer{answer};
    on.method == http::verb::head ? http::write_header(to, serializer) : http::write(to, serializer);
}

template <class Stream> void send_text(Stream& to, http::status status, std::string body, const terms& on) {
    auto answer = text(status, std::move(body), on);
    send(to, answer, on);
}

/// An answer whose text is the name of its status.
inline http::response<http::string_body> status_text(http::status status, const terms& on) {
    return text(status, std::string{http::obsolete_reason(status)} + "\n", on);
}

/// Answers with an error; the connection has to end then.
template <class Stream> void refuse(Stream& to, http::status status, http::verb method = http::verb::get) {
    const terms on{.method = method, .stays = false};
    auto answer = status_text(status, on);
    send(to, answer, on);
}

/// Ends a connection, and reads for a short time what the client still sends: a close with unread input resets the
/// connection, and the client might lose the last answer (RFC 9112, section 9.6).
template <class Stream> void linger(Stream& stream) {
    beast::error_code gone;
    stream.expires_at(std::chrono::seconds{1});
    teardown(beast::role_type::client, stream, gone);  // the side that reads to the end
}

}  // namespace http_rules
