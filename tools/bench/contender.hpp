#pragma once

#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <span>
#include <string>
#include <string_view>
#include <time.h>
#include <unistd.h>
#include <vector>

/// @file
/// Shared by all contenders of the table: command line, clocks and reports.
/// A contender is a program that runs one case per process, `contender <case> <number>...`, and prints one
/// `metric value` per line. So no case inherits the heap, the warm caches or the page tables of another.
namespace bench {

using arguments = std::span<const long>;

struct scenario {
    std::string_view name;
    void (*run)(arguments);
};

inline void report(const char* metric, double value) {
    std::printf("%s %.9g\n", metric, value);
    std::fflush(stdout);
}

/// Processor time, in seconds, of all threads of this process. Other load on a shared machine changes it far less than
/// wall-clock time.
inline double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

using wall_clock = std::chrono::steady_clock;

inline double seconds_since(wall_clock::time_point start) {
    return std::chrono::duration<double>(wall_clock::now() - start).count();
}

/// Binds the calling thread, and the threads that it creates later, to the core on which it runs now.
inline void stay_on_this_core() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
}

/// Moves the calling thread away from the core that it inherited, if there is another one.
inline void move_to_another_core() {
    const int here = sched_getcpu();
    for (int core = 0; core < sysconf(_SC_NPROCESSORS_ONLN); ++core) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(core), &one);
        if (core != here && sched_setaffinity(0, sizeof one, &one) == 0) return;
    }
    std::fputs("note: one core only, both sides share it\n", stderr);
}

/// Prevents a tail call: the preceding call cannot become a jump, so the frame of the caller remains.
inline void keep_frame() { asm volatile("" ::: "memory"); }

/// A number of turns that no ring reaches. It is read at run time: for a constant, the compiler would clone take_turns,
/// and the clone would be another call site.
inline volatile long forever = LONG_MAX;

/// Yields through `outer`, `times` times or until the benchmark is over. All fibers of a ring run this loop: with one
/// call site, the return predictor sees the same call stack in each of them.
template <void (*outer)()> [[gnu::noinline]] void take_turns(long times, const bool& over) {
    for (; times > 0 && !over; --times) outer();
    keep_frame();
}

/// Resident memory and page tables of a process, in bytes, by its pid.
inline double memory_bytes(const std::string& process = "self") {
    double kilobytes = 0;
    if (std::FILE* status = std::fopen(("/proc/" + process + "/status").c_str(), "r")) {
        char line[256];
        long value = 0;
        while (std::fgets(line, sizeof line, status))
            if (std::sscanf(line, "VmRSS: %ld", &value) == 1 || std::sscanf(line, "VmPTE: %ld", &value) == 1)
                kilobytes += static_cast<double>(value);
        std::fclose(status);
    }
    return kilobytes * 1024;
}

inline double count_mappings() {
    double lines = 0;
    if (std::FILE* maps = std::fopen("/proc/self/maps", "r")) {
        for (int c; (c = std::fgetc(maps)) != EOF;) lines += c == '\n';
        std::fclose(maps);
    }
    return lines;
}

/// Pseudo-random sleep durations of 1 to 1,000 ms: the same sequence for every contender.
class random_naps {
public:
    std::chrono::milliseconds next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return std::chrono::milliseconds(1 + (state_ >> 33) % 1000);
    }

private:
    unsigned long long state_ = 42;
};

inline int run_scenario(int argc, char** argv, std::span<const scenario> scenarios) {
    const std::string_view wanted = argc > 1 ? argv[1] : "";
    std::vector<long> numbers;
    for (int i = 2; i < argc; ++i) numbers.push_back(std::atol(argv[i]));
    for (const auto& each : scenarios) {
        if (each.name != wanted) continue;
        each.run(numbers);
        return EXIT_SUCCESS;
    }
    std::fprintf(stderr, "%s: no scenario '%s'; there are:", argv[0], argc > 1 ? argv[1] : "");
    for (const auto& each : scenarios)
        std::fprintf(stderr, " %.*s", static_cast<int>(each.name.size()), each.name.data());
    std::fputc('\n', stderr);
    return EXIT_FAILURE;
}

}  // namespace bench
