#include "models/program.hpp"

#include "base/random.hpp"

#include <cstddef>
#include <ostream>
#include <utility>

namespace coir::models {

namespace {

std::size_t total_weight(std::span<const operation> table) {
    std::size_t sum = 0;
    for (const operation& each : table) sum += static_cast<std::size_t>(each.weight);
    return sum;
}

const operation& draw(std::span<const operation> table, detail::random_numbers& random) {
    auto left = static_cast<int>(random.below(total_weight(table)));
    for (const operation& each : table) {
        left -= each.weight;
        if (left < 0) return each;
    }
    return table.back();
}

}  // namespace

program make_program(std::span<const operation> table, int setups, std::uint64_t seed) {
    detail::random_numbers random{seed};
    program made;
    made.setup = static_cast<int>(random.below(static_cast<std::size_t>(setups)));
    for (auto& fiber : made.operations)
        for (const operation*& each : fiber) each = &draw(table, random);
    return made;
}

std::ostream& operator<<(std::ostream& to, const program& written) {
    to << "  setup " << written.setup << '\n';
    for (std::size_t fiber = 0; fiber < written.operations.size(); ++fiber) {
        to << "  fiber " << fiber << ':';
        const char* separator = " ";
        for (const operation* each : written.operations[fiber]) to << std::exchange(separator, "; ") << text_of(*each);
        to << '\n';
    }
    return to;
}

}  // namespace coir::models
