// Runs generated programs of three fibers with four operations each, on each synchronization primitive, under all 34,650
// schedules, and compares what the operations do with a sequential model of the primitive.
//
//     coir_test_models                      a sample of a few seconds, and the self-test
//     coir_test_models --programs 200       that many programs a primitive: "mutex: 200 programs, 6,930,000 schedules, ..."
//     coir_test_models --primitive mutex --seed 7    one program
#include "models/check.hpp"
#include "support/limits.hpp"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace coir::models {

namespace {

constexpr int sample_programs = 5;
// One schedule in so many. With a sanitizer or without optimisation, a run takes ten times as long.
#if defined(NDEBUG)
constexpr std::uint64_t sample_stride = test::sanitized ? 100 : 7;
#else
constexpr std::uint64_t sample_stride = 100;
#endif

struct options {
    std::string_view only{};
    std::uint64_t seed = 1;
    int programs = 0;  // 0: a sample
};

int usage() {
    std::cerr << "usage: coir_test_models [--programs N] [--primitive NAME] [--seed N]\n";
    return 64;
}

/// Each fault must be found.
bool self_test(const primitive& of) {
    bool found = true;
    for (const fault each : {fault::lost_calls, fault::last_comes_first}) {
        constexpr int programs_max = 200;
        if (!check({.of = of, .programs = programs_max, .stride = sample_stride, .seeded = each})) continue;
        std::cout << of.name << ": fault " << static_cast<int>(each) << " of the self-test is not found\n";
        found = false;
    }
    if (found) std::cout << of.name << ": the self-test's faults are found\n";
    return found;
}

bool check_all(const options& chosen) {
    bool passed = true;
    bool any = false;
    for (const primitive* each : all_primitives()) {
        if (!chosen.only.empty() && chosen.only != each->name) continue;
        const bool sample = chosen.programs == 0;
        any = true;
        passed = check({.of = *each,
                        .first_seed = chosen.seed,
                        .programs = sample ? sample_programs : chosen.programs,
                        .stride = sample ? sample_stride : 1}) &&
                 passed;
        if (sample) passed = self_test(*each) && passed;
    }
    if (!any) std::cerr << "unknown primitive: " << chosen.only << '\n';
    return passed && any;
}

}  // namespace

}  // namespace coir::models

int main(int count, char** arguments) {
    coir::models::options chosen;
    for (int i = 1; i < count; i += 2) {
        const std::string_view name = arguments[i];
        if (i + 1 == count) return coir::models::usage();
        const char* const value = arguments[i + 1];
        if (name == "--programs") {
            chosen.programs = std::atoi(value);
        } else if (name == "--primitive") {
            chosen.only = value;
        } else if (name == "--seed") {
            chosen.seed = std::strtoull(value, nullptr, 10);
            if (chosen.programs == 0) chosen.programs = 1;
        } else {
            return coir::models::usage();
        }
    }
    return coir::models::check_all(chosen) ? 0 : 1;
}
