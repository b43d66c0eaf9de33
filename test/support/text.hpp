#pragma once

#include <coir/deadline.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace coir::test {

inline std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The result of one read of a stream.
template <class Stream> std::string read_text(Stream& from, deadline until = never) {
    std::array<std::byte, 4096> place;
    return as_text(std::span{place}.first(from.read_some(place, until)));
}

/// All that comes until the end of the stream.
template <class Stream> std::string read_all(Stream& from) {
    std::string all;
    for (std::string more; !(more = read_text(from)).empty();) all += more;
    return all;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace coir::test
