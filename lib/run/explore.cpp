#include <coir/test/explore.hpp>

#include "base/integer.hpp"
#include "base/log.hpp"

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace coir::test {

namespace {

std::optional<std::uint64_t> seed_from_environment() {
    const char* const given = ::secure_getenv("COIR_SEED");
    if (given == nullptr) return std::nullopt;
    const auto seed = detail::parse_integer<std::uint64_t>(given);
    if (!seed) {
        throw std::invalid_argument{
            "explore: COIR_SEED is '" + std::string{given} +
            "', not a decimal number of 64 bits; set it to the seed of a failed run, or unset it"};
    }
    return seed;
}

/// Throws the exception of `test`, or else the first one that escaped a fiber whose result can no longer be retrieved.
void run_once(std::uint64_t seed, const std::function<void()>& test, run_options options) {
    options.seed = seed;
    std::exception_ptr unhandled;
    if (!options.on_unhandled_exception) {
        options.on_unhandled_exception = [&unhandled](std::exception_ptr failure, std::string_view) {
            if (unhandled == nullptr) unhandled = std::move(failure);
        };
    }
    run(options, test);
    if (unhandled != nullptr) std::rethrow_exception(unhandled);
}

std::string message_of_current_exception() {
    try {
        throw;
    } catch (const std::exception& failure) {
        return failure.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

}  // namespace

void explore(std::size_t runs, const std::function<void()>& test, run_options options) {
    const std::optional<std::uint64_t> wanted = seed_from_environment();
    const std::uint64_t first = wanted.value_or(1);
    const std::uint64_t count = wanted ? 1 : runs;
    for (std::uint64_t i = 0; i < count; ++i) {
        try {
            run_once(first + i, test, options);
        } catch (...) {
            const std::string seed = std::to_string(first + i);
            log::error("explore: run " + std::to_string(i + 1) + " of " + std::to_string(count) + " failed: " +
                       message_of_current_exception() + "\n  to repeat this run alone: COIR_SEED=" + seed);
            throw;
        }
    }
}

}  // namespace coir::test
