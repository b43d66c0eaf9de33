#pragma once

#include <coir/deadline.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace coir::test {

inline std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The result of one read of a stream.
template <class Stream> std::string read_text(Stream& from, deadline until = never) {
    std::array<std::byte, 4096> place;
    return as_text(std::span{place}.first(from.read_some(place, until)));
}

}  // namespace coir::test
