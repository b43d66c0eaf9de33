// Input: any bytes, in pieces of any sizes. The lines that buffered_reader returns must be the lines of the input.
#include <coir/io/buffered_reader.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

/// A stream that returns the input in pieces; the bytes themselves determine the sizes of the pieces.
struct pieces {
    std::string_view rest;
    std::size_t read_some(std::span<std::byte> into, coir::deadline) {
        if (rest.empty()) return 0;
        const std::size_t most = std::min(into.size(), rest.size());
        const std::size_t count = std::min<std::size_t>(most, 1 + static_cast<unsigned char>(rest.front()) % 7);
        std::memcpy(into.data(), rest.data(), count);
        rest.remove_prefix(count);
        return count;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t count) {
    std::string_view left{reinterpret_cast<const char*>(bytes), count};
    pieces stream{left};
    coir::io::buffered_reader reader{stream, std::max<std::size_t>(count, 1)};
    while (const auto line = reader.read_line()) {
        const std::size_t end = left.find('\n');
        const bool is_ended = end != left.npos;  // else '\r' is a byte of the last line, not a part of its end
        std::string_view expected = left.substr(0, end);
        left.remove_prefix(std::min(left.size(), expected.size() + 1));
        if (is_ended && expected.ends_with('\r')) expected.remove_suffix(1);
        if (*line != expected) std::abort();
    }
    if (!left.empty()) std::abort();
    return 0;
}
