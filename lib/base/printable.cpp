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

/// The code point of a well-formed character.
char32_t code_point(std::string_view character) noexcept {
    const auto first = static_cast<unsigned char>(character.front());
    if (character.size() == 1) return first;
    char32_t code = first & (0x7FU >> character.size());
    for (const char each : character.substr(1)) code = code << 6U | (static_cast<unsigned char>(each) & 0x3FU);
    return code;
}

bool is_in(char32_t code, char32_t from, char32_t to) noexcept { return from <= code && code <= to; }

/// Whether the character steers a terminal, ends a line, or changes the direction of the text around it
/// (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
bool is_control(char32_t code) noexcept {
    return code < 0x20 || is_in(code, 0x7F, 0x9F) || code == 0x061C || is_in(code, 0x200E, 0x200F) ||
           is_in(code, 0x2028, 0x202E) || is_in(code, 0x2066, 0x2069);
}

std::string escape(char32_t code) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), code < 0x100 ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(code));
    return text.data();
}

/// Copies each character as `written` returns it, and U+FFFD for a byte that is not UTF-8.
template <class Written> std::string copied(std::string_view text, Written written) {
    std::string made;
    made.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = length_of_character(text);
        const std::string_view character = text.substr(0, length);
        if (length == 0) {
            made += "\xEF\xBF\xBD";  // U+FFFD
        } else {
            made += written(character);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return made;
}

}  // namespace

std::string printable(std::string_view text) {
    return copied(text, [](std::string_view character) {
        const char32_t code = code_point(character);
        return is_control(code) ? escape(code) : std::string{character};
    });
}

std::string printable_lines(std::string_view text) {
    return copied(text, [](std::string_view character) {
        const char32_t code = code_point(character);
        const bool is_layout = code == '\n' || code == '\t';
        return is_control(code) && !is_layout ? escape(code) : std::string{character};
    });
}

std::string as_utf8(std::string_view text) {
    return copied(text, [](std::string_view character) { return character; });
}

}  // namespace coir::detail
