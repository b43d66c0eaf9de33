// Runs each program once for each call that it makes and each error of that call, and for each allocation: the call
// fails, and the program must either recover, with the right result, or end with a clear error that has the right code.
// No run may hang, crash, leave a descriptor, a file or a process behind, or return something else.
//
//     coir_test_faults                       everything: "survived N of N"
//     coir_test_faults --sample 1500         that many of them, chosen by --seed (1), in at most a minute
//     coir_test_faults PROGRAM               everything of one program
//     coir_test_faults PROGRAM CALL NTH ERROR   one run, in the foreground; "-" as CALL: none fails
#include "faults/child.hpp"
#include "faults/injector.hpp"
#include "faults/programs.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace coir::faults {

namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t parallel = 2;
// Of one program, evenly spread: OpenSSL makes thousands of allocations, the watchdog of probes.
constexpr unsigned allocations_max = 400;
constexpr unsigned same_call_max = 25;

struct job {
    const program* of;
    const expectation* expected;
    fault planned;
};

struct options {
    std::size_t sample = 0;  // 0: everything
    unsigned seed = 1;
    std::string_view only{};
};

std::string text_of(const job& of) {
    const call& failing = all_calls()[of.planned.call];
    return std::string{of.of->name} + ' ' + failing.name + ' ' + std::to_string(of.planned.nth) + ' ' +
           name_of_error(of.planned.error);
}

/// Every call of the program, with each error.
void add_jobs(std::vector<job>& jobs, const program& of, const expectation& expected) {
    for (std::size_t i = 0; i < all_calls().size(); ++i) {
        const unsigned count = expected.counts[i];
        const unsigned most = i == allocation() ? allocations_max : same_call_max;
        const unsigned step = std::max(1U, (count + most - 1) / most);
        for (unsigned nth = 1; nth <= count; nth += step)
            for (const int error : all_calls()[i].errors) jobs.push_back({&of, &expected, {i, nth, error}});
    }
}

struct totals {
    std::size_t survived = 0, fallen = 0, not_reached = 0;
};

void count(totals& all, const job& of, const outcome& how) {
    if (!how.failure.empty()) {
        ++all.fallen;
        std::printf("%s: %s\n", text_of(of).c_str(), how.failure.c_str());
        std::fflush(stdout);
    } else if (how.injected) {
        ++all.survived;
    } else {
        ++all.not_reached;  // the run did not make this call
    }
}

totals run_all(const std::vector<job>& jobs, steady_clock::time_point until) {
    totals all;
    std::array<child, parallel> children;
    std::array<const job*, parallel> running{};
    auto next = jobs.begin();
    for (;;) {
        bool busy = false;
        for (std::size_t i = 0; i < parallel; ++i) {
            if (running[i] != nullptr && children[i].has_ended()) {
                count(all, *running[i], children[i].take());
                running[i] = nullptr;
            }
            if (running[i] == nullptr && next != jobs.end() && steady_clock::now() < until) {
                running[i] = &*next;
                children[i].start(*next->of, next->planned, next->expected);
                ++next;
            }
            busy = busy || running[i] != nullptr;
        }
        if (!busy) return all;
        wait_for_any(children);
    }
}

expectation clean_run(const program& of) {
    child undisturbed;
    undisturbed.start(of, {}, nullptr);
    const outcome how = undisturbed.wait();
    if (!how.failure.empty()) {
        std::printf("%s fails without a fault: %s\n", of.name, how.failure.c_str());
        std::exit(1);
    }
    return undisturbed.seen();
}

int sweep(const options& chosen) {
    const auto begun = steady_clock::now();
    std::vector<expectation> expected(all_programs().size());
    std::vector<job> jobs;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const program& of = all_programs()[i];
        if (!chosen.only.empty() && chosen.only != of.name) continue;
        if (of.prepare != nullptr) of.prepare();
        expected[i] = clean_run(of);
        const std::size_t before = jobs.size();
        add_jobs(jobs, of, expected[i]);
        std::printf("%-20s %5zu faults; %s\n", of.name, jobs.size() - before, one_line(expected[i].result).c_str());
    }
    auto until = steady_clock::time_point::max();
    if (chosen.sample != 0) {
        std::shuffle(jobs.begin(), jobs.end(), std::mt19937{chosen.seed});
        jobs.resize(std::min(jobs.size(), chosen.sample));
        until = begun + 60s;
    }
    const totals all = run_all(jobs, until);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - begun).count();
    std::printf("survived %zu of %zu faults in %ld s; %zu not reached\n", all.survived, all.survived + all.fallen,
                static_cast<long>(seconds), all.not_reached);
    return all.fallen == 0 && all.survived > 0 ? 0 : 1;
}

/// One run, in this process.
int in_the_foreground(const program& of, std::string_view failing, unsigned nth, std::string_view error) {
    if (of.prepare != nullptr) of.prepare();
    fault planned;
    for (std::size_t i = 0; i < all_calls().size(); ++i) {
        if (all_calls()[i].name != failing) continue;
        for (const int each : all_calls()[i].errors)
            if (name_of_error(each) == error) planned = {i, nth, each};
    }
    if (planned.nth == 0 && failing != "-") {
        std::fprintf(stderr, "no such call or error\n");
        return 64;
    }
    return run_here(of, planned);
}

int usage() {
    std::fprintf(stderr, "usage: coir_test_faults [--sample COUNT] [--seed N] [PROGRAM [CALL NTH ERROR]]\n");
    return 64;
}

}  // namespace

}  // namespace coir::faults

int main(int count, char** arguments) {
    using namespace coir::faults;
    options chosen;
    std::vector<std::string_view> words(arguments + 1, arguments + count);
    while (words.size() >= 2 && words[0].starts_with("--")) {
        const auto value = static_cast<unsigned>(std::strtoul(words[1].data(), nullptr, 10));
        if (words[0] == "--sample")
            chosen.sample = value;
        else if (words[0] == "--seed")
            chosen.seed = value;
        else
            return usage();
        words.erase(words.begin(), words.begin() + 2);
    }
    if (words.size() == 4) {
        for (const program& each : all_programs())
            if (words[0] == each.name)
                return in_the_foreground(each, words[1], static_cast<unsigned>(std::atoi(words[2].data())), words[3]);
        return usage();
    }
    if (words.size() > 1) return usage();
    if (words.size() == 1) chosen.only = words[0];
    return sweep(chosen);
}
