#pragma once

#include <cctype>
#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <uriparser/Uri.h>

/// A parsed URL "https://host:port/path?query". Only the parts that a client needs: no user, no fragment. uriparser
/// implements the grammar and the resolution of references of RFC 3986.
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

namespace url_detail {

/// A URI reference as uriparser represents it: ranges of the text that it was parsed from, which must outlive it.
class uri {
public:
    uri() noexcept = default;
    explicit uri(const std::string& text) {
        if (::uriParseSingleUriExA(&parts_, text.data(), text.data() + text.size(), nullptr) != URI_SUCCESS) {
            parts_ = {};
            throw std::invalid_argument{"'" + text.substr(0, 200) + "' is not a URL (RFC 3986)"};
        }
    }
    uri(const uri& reference, const uri& base) {
        if (::uriAddBaseUriA(&parts_, &reference.parts_, &base.parts_) != URI_SUCCESS) {
            throw std::invalid_argument{"the URL cannot be resolved"};
        }
    }
    ~uri() { ::uriFreeUriMembersA(&parts_); }
    uri(const uri&) = delete;
    uri& operator=(const uri&) = delete;

    [[nodiscard]] const UriUriA& parts() const noexcept { return parts_; }

private:
    UriUriA parts_{};
};

inline std::string to_string(const UriTextRangeA& range) {
    return range.first == nullptr ? std::string{} : std::string(range.first, range.afterLast);
}

inline url to_url(const uri& from, std::string_view text) {
    const auto refuse = [text](const char* why) {
        return std::invalid_argument{"'" + std::string{text.substr(0, 200)} + "' is not a usable URL: " + why};
    };
    const UriUriA& parts = from.parts();
    std::string scheme = to_string(parts.scheme);
    for (char& each : scheme) each = static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
    if (scheme != "http" && scheme != "https") throw refuse("the scheme is neither http nor https");
    if (parts.userInfo.first != nullptr) throw refuse("it contains a user name");

    url made;
    made.is_secure = scheme == "https";
    made.port = made.is_secure ? 443 : 80;
    made.host = to_string(parts.hostText);
    if (made.host.empty()) throw refuse("it has no host");
    if (const std::string port = to_string(parts.portText); !port.empty()) {
        const char* const end = port.data() + port.size();
        const auto [last, failed] = std::from_chars(port.data(), end, made.port);
        if (failed != std::errc{} || last != end || made.port == 0) throw refuse("the port must be 1 to 65535");
    }
    made.target.clear();
    for (const UriPathSegmentA* each = parts.pathHead; each != nullptr; each = each->next) {
        made.target += '/' + to_string(each->text);
    }
    if (made.target.empty()) made.target = "/";
    if (parts.query.first != nullptr) made.target += '?' + to_string(parts.query);
    return made;
}

}  // namespace url_detail

inline url url::parse(std::string_view text) {
    const std::string kept{text};
    return url_detail::to_url(url_detail::uri{kept}, text);
}

inline url url::follow(std::string_view location) const {
    const std::string own = to_string();
    const std::string reference{location};
    return url_detail::to_url(url_detail::uri{url_detail::uri{reference}, url_detail::uri{own}}, location);
}
