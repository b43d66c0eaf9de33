#include "base/printable.hpp"

#include <doctest/doctest.h>

#include <string>

using coir::detail::as_utf8;
using coir::detail::printable;
using coir::detail::printable_lines;

TEST_CASE("printable: control characters are escaped, others stay as they are") {
    CHECK(printable("caf\xC3\xA9 \xF0\x9F\x98\x80 a") == "caf\xC3\xA9 \xF0\x9F\x98\x80 a");
    CHECK(printable("a\x1b[2J\r\n\t\x7f") == "a\\x1b[2J\\x0d\\x0a\\x09\\x7f");
    CHECK(printable("\xC2\x9B") == "\\x9b");  // U+009B begins an escape sequence too
}

TEST_CASE("printable: characters that end a line or turn the direction of text are escaped") {
    CHECK(printable("\xE2\x80\xA8\xE2\x80\xAE\xE2\x81\xA6\xD8\x9C") == "\\u2028\\u202e\\u2066\\u061c");
    CHECK(printable("\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D") == "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D");  // Hebrew itself stays
}

TEST_CASE("printable: a byte that is not UTF-8 is replaced, and what is printable does not change") {
    CHECK(printable("caf\xe9") == "caf\xEF\xBF\xBD");
    CHECK(as_utf8("\x1b\xff") == "\x1b\xEF\xBF\xBD");
    const std::string once = printable("\x1b\xe9\xE2\x80\xAE");
    CHECK(printable(once) == once);
}

TEST_CASE("printable: a text of several lines keeps them") {
    CHECK(printable_lines("a\n\tb\r\x1b") == "a\n\tb\\x0d\\x1b");
}
