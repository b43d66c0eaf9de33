#include "base/printable.hpp"

#include <array>
#include <cstddef>
#include <cstdio>

namespace coir::detail {

namespace {

/// The number of bytes of the well-formed UTF-8 character at the begin of `text` (Unicode 15, table 3-7); 0 if there is
/// none.
std::size_t length_of_character(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto between = [&](std::size_t i, unsigned from, unsigned to) { return from <= byte(i) && byte(i) <= to; };
    const auto follows = [&](std::size_t i) { return between(i, 0x80, 0xBF); };
    if (between(0, 0x00, 0x7F)) return 1;
    if (between(0, 0xC2, 0xDF)) return follows(1) ? 2 : 0;
    if (between(0, 0xE0, 0xEF)) {
        const bool is_valid = between(1, byte(0) == 0xE0 ? 0xA0 : 0x80, byte(0) == 0xED ? 0x9F : 0xBF);
        return is_valid && follows(2) ? 3 : 0;
    }
    if (between(0, 0xF0, 0xF4)) {
        const bool is_valid = between(1, byte(0) == 0xF0 ? 0x90 : 0x80, byte(0) == 0xF4 ? 0x8F : 0xBF);
        return is_valid && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

/// Appends each character that `is_control` does not take, and the others as "\x1b".
template <class Control> std::string copied(std::string_view text, Control is_control) {
    std::string made;
    made.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = length_of_character(text);
        const std::string_view character = text.substr(0, length);
        if (length == 0) {
            made += "\xEF\xBF\xBD";  // U+FFFD
        } else if (is_control(character)) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(character.back()));
            made += escape.data();
        } else {
            made += character;
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return made;
}

}  // namespace

std::string printable(std::string_view text) {
    return copied(text, [](std::string_view character) {
        const auto first = static_cast<unsigned char>(character.front());
        if (character.size() == 1) return first < 0x20 || first == 0x7F;
        return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;  // U+0080 to U+009F
    });
}

std::string as_utf8(std::string_view text) {
    return copied(text, [](std::string_view) { return false; });
}

}  // namespace coir::detail
