#pragma once

#include <charconv>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

/// Decodes a chunked body, the form for bodies whose length is not known in advance (RFC 9112, section 7.1):
/// "4\r\nWiki\r\n0\r\n\r\n" is "Wiki". Ignores trailers. Throws `std::runtime_error` if the body is malformed or
/// incomplete.
inline std::string join_chunks(std::string_view rest) {
    std::string body;
    for (;;) {
        const std::size_t line = rest.find("\r\n");
        if (line == rest.npos) throw std::runtime_error{"the body ends in the middle"};
        std::size_t size = 0;
        const auto [end, failed] = std::from_chars(rest.data(), rest.data() + line, size, 16);
        const bool is_size = failed == std::errc{} && (end == rest.data() + line || *end == ';' || *end == ' ');
        if (!is_size) throw std::runtime_error{"a chunk has no size"};
        rest.remove_prefix(line + 2);
        if (size == 0) return body;
        if (rest.size() < 2 || rest.size() - 2 < size) throw std::runtime_error{"the body ends in the middle"};
        if (rest.substr(size, 2) != "\r\n") throw std::runtime_error{"a chunk is not of the size that it says"};
        body += rest.substr(0, size);
        rest.remove_prefix(size + 2);
    }
}
