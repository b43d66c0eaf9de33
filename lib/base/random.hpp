#pragma once

#include <cstddef>
#include <cstdint>

namespace coir::detail {

/// The finaliser of `splitmix64`: a bijection after which close numbers differ in about half of their bits.
[[nodiscard]] constexpr std::uint64_t scrambled(std::uint64_t number) noexcept {
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31);
}

/// A pseudorandom sequence that depends only on the seed: splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014). The results of the standard distributions differ between standard libraries.
class random_numbers {
public:
    explicit constexpr random_numbers(std::uint64_t seed) noexcept : state_{seed} {}

    constexpr std::uint64_t next() noexcept { return scrambled(state_ += 0x9e3779b97f4a7c15U); }

    /// A number from 0 to `count` - 1. The bias of the modulus matters only for counts near 2^64.
    constexpr std::size_t below(std::size_t count) noexcept { return static_cast<std::size_t>(next() % count); }

private:
    std::uint64_t state_;
};

}  // namespace coir::detail
