// Input: any bytes. As a chunked body they are refused or decoded; split into chunks, they decode to the same bytes.
#include "chunks.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace {

std::string cut(std::string_view whole) {
    std::string chunks;
    for (std::size_t size = 1; !whole.empty(); size = size * 3 % 257) {
        const std::string_view piece = whole.substr(0, size);
        std::array<char, 16> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16).ptr;
        chunks.append(digits.data(), end).append("\r\n").append(piece).append("\r\n");
        whole.remove_prefix(piece.size());
    }
    return chunks + "0\r\n\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t count) {
    const std::string_view text{reinterpret_cast<const char*>(bytes), count};
    try {
        if (join_chunks(text).size() > count) std::abort();
    } catch (const std::runtime_error&) {
    }
    if (join_chunks(cut(text)) != text) std::abort();
    return 0;
}
