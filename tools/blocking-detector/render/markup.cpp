#include "render/markup.hpp"

#include "base/printable.hpp"

namespace detector {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Replaces U+FFFE and U+FFFF, which UTF-8 can encode but XML forbids.
std::string without_noncharacters(std::string text) {
    for (const std::string_view each : {"\xEF\xBF\xBE", "\xEF\xBF\xBF"}) {
        for (std::size_t at = text.find(each); at != text.npos; at = text.find(each, at)) {
            text.replace(at, each.size(), replacement);
        }
    }
    return text;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string made;
    for (const char each : without_noncharacters(coir::detail::as_utf8(text))) {
        switch (each) {
        case '&': made += "&amp;"; break;
        case '<': made += "&lt;"; break;
        case '>': made += "&gt;"; break;
        case '"': made += "&quot;"; break;
        case '\'': made += "&#39;"; break;
        case '\r': made += "&#13;"; break;
        case '\t':
        case '\n': made += each; break;
        default:
            if (static_cast<unsigned char>(each) < 0x20)
                made += replacement;
            else
                made += each;
        }
    }
    return made;
}

}  // namespace detector
