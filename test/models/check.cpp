#include "models/check.hpp"

#include <coir/run.hpp>

#include "models/checked_run.hpp"

#include <cstddef>
#include <iostream>
#include <optional>
#include <string>

namespace coir::models {

namespace {

struct failed_run {
    schedule order;
    difference found;
};

/// Runs a program with its schedules, up to the first difference.
std::optional<failed_run> run_program(const checked& what, std::uint64_t seed, const program& running,
                                      long long& schedules) {
    const run_options options{.blocking = {.policy = blocking_policy::off}, .clock = clock_mode::virtual_time};
    return coir::run(options, [&]() -> std::optional<failed_run> {
        schedule order = first_schedule();
        std::uint64_t number = seed;
        do {
            if (number++ % what.stride != 0) continue;
            ++schedules;
            checked_run one{what.of, running, what.seeded == fault::lost_calls};
            if (const auto found = one.run(order)) return failed_run{order, *found};
        } while (next_schedule(order));
        return {};
    });
}

/// 6,930,000
std::string grouped(long long number) {
    std::string text = std::to_string(number);
    for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
    return text;
}

void print(const char* label, const history& written, int state) {
    std::cout << "  " << label << ':';
    for (std::size_t i = 0; i < written.count; ++i) {
        const history::entry& each = written.entries[i];
        std::cout << (i == 0 ? " " : "; ") << int{each.fiber} << ": " << text_of(each.how);
    }
    std::cout << "; state " << state << '\n';
}

void print(const checked& what, std::uint64_t seed, const program& running, const failed_run& failed) {
    std::cout << what.of.name << ": a difference, with --primitive " << what.of.name << " --seed " << seed << '\n'
              << running << "  schedule:";
    for (std::size_t i = 0; i < failed.order.size(); ++i)
        std::cout << (i == failed.found.step ? " here " : " ") << failed.order[i];
    std::cout << (failed.found.step == failed.order.size() ? " here\n" : "\n");
    print("expected", failed.found.expected, failed.found.expected_state);
    print("actual  ", failed.found.actual, failed.found.actual_state);
}

}  // namespace

bool check(const checked& what) {
    fiber_queue::last_comes_first = what.seeded == fault::last_comes_first;
    long long schedules = 0;
    for (int i = 0; i < what.programs; ++i) {
        const std::uint64_t seed = what.first_seed + static_cast<std::uint64_t>(i);
        const program running = make_program(what.of.operations, what.of.setups, seed);
        if (const auto failed = run_program(what, seed, running, schedules)) {
            if (what.seeded == fault::none) print(what, seed, running, *failed);
            return false;
        }
    }
    std::cout << what.of.name << ": " << what.programs << " programs, " << grouped(schedules)
              << " schedules, no difference" << std::endl;
    return true;
}

std::span<const primitive* const> all_primitives() {
    static constexpr const primitive* all[] = {
        &mutexes, &condition_variables, &semaphores, &channels, &selects, &stops, &time_outs};
    return all;
}

}  // namespace coir::models
