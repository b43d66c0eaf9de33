#pragma once

#include <cstdint>
#include <string_view>

namespace coir::detail {

/// The 64-bit hash FNV-1a of Fowler, Noll and Vo, over bytes. A whole word may be mixed in one step, which
/// gives another hash than its bytes do.
class fnv1a {
public:
    void mix(std::uint64_t value) noexcept { hash_ = (hash_ ^ value) * 0x100000001b3; }
    void mix(std::string_view text) noexcept {
        for (const char each : text) mix(std::uint64_t{static_cast<unsigned char>(each)});
    }

    [[nodiscard]] std::uint64_t value() const noexcept { return hash_; }

private:
    std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace coir::detail
