#pragma once

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

/// A parsed URL "https://host:port/path?query" (RFC 3986). Only the parts that a client needs: no user, no fragment.
struct url {
    bool is_secure = false;
    std::string host;  // for an IPv6 address: without brackets
    std::uint16_t port = 80;
    std::string target = "/";  // path and query, as sent in a request

    /// Throws `std::invalid_argument`, which contains the text, if it is not an http or https URL.
    static url parse(std::string_view text);

    /// Resolves a `Location` header in the answer to this URL: another URL, or another path of the same server.
    [[nodiscard]] url follow(std::string_view location) const;

    [[nodiscard]] std::string host_and_port() const {
        const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
        return port == (is_secure ? 443 : 80) ? name : name + ":" + std::to_string(port);
    }
    [[nodiscard]] std::string origin() const { return (is_secure ? "https://" : "http://") + host_and_port(); }
    [[nodiscard]] std::string to_string() const { return origin() + target; }
};

inline url url::parse(std::string_view text) {
    const auto refuse = [text](const char* why) -> std::invalid_argument {
        return std::invalid_argument{"'" + std::string{text.substr(0, 200)} + "' is no URL: " + why};
    };
    url made;
    std::string_view rest = text;
    for (const char each : text) {
        const auto code = static_cast<unsigned char>(each);
        if (code <= ' ' || code == 0x7f) throw refuse("there are blanks or control characters in it");
    }
    const auto has_scheme = [&](std::string_view scheme) {
        if (rest.size() < scheme.size()) return false;
        for (std::size_t i = 0; i < scheme.size(); ++i) {
            const char lower = rest[i] >= 'A' && rest[i] <= 'Z' ? static_cast<char>(rest[i] - 'A' + 'a') : rest[i];
            if (lower != scheme[i]) return false;
        }
        rest.remove_prefix(scheme.size());
        return true;
    };
    made.is_secure = has_scheme("https://");
    if (!made.is_secure && !has_scheme("http://")) throw refuse("it begins with neither http:// nor https://");
    rest = rest.substr(0, rest.find('#'));

    std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    if (authority.find('@') != authority.npos) throw refuse("a user and a password are not for URLs");
    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == authority.npos) throw refuse("the bracket is not closed");
        made.host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else {
        made.host = authority.substr(0, authority.find(':'));
        port = authority.substr(made.host.size());
    }
    if (made.host.empty()) throw refuse("there is no host");
    made.port = made.is_secure ? 443 : 80;
    if (port.size() > 1) {
        const char* const end = port.data() + port.size();
        const auto [last, failed] = std::from_chars(port.data() + 1, end, made.port);
        if (port.front() != ':' || failed != std::errc{} || last != end || made.port == 0) throw refuse("no such port");
    } else if (!port.empty() && port != ":") {
        throw refuse("no such port");
    }
    if (!rest.empty()) made.target = rest.front() == '?' ? "/" + std::string{rest} : std::string{rest};
    return made;
}

inline url url::follow(std::string_view location) const {
    location = location.substr(0, location.find('#'));
    if (location.find("://") < location.find_first_of("/?")) return parse(location);  // RFC 3986, section 5.2
    if (location.starts_with("//")) return parse((is_secure ? "https:" : "http:") + std::string{location});
    if (location.starts_with('/')) return parse(origin() + std::string{location});
    const std::string_view path = std::string_view{target}.substr(0, target.find('?'));
    if (location.empty()) return *this;
    if (location.starts_with('?')) return parse(origin() + std::string{path} + std::string{location});
    // Relative to the folder of this path; ".." is its parent.
    std::string folder{path.substr(0, path.rfind('/') + 1)};
    while (location.starts_with("../") || location.starts_with("./")) {
        const bool is_above = location.starts_with("../");
        location.remove_prefix(is_above ? 3 : 2);
        if (is_above && folder.size() > 1) folder.resize(folder.rfind('/', folder.size() - 2) + 1);
    }
    return parse(origin() + folder + std::string{location});
}
