// Fibers are for waiting, not for computing: they share one thread, so they compute no faster than a loop. To compute
// on several cores, use threads (offload, parallel_for) or processes (run_process). For the processes, this program
// starts itself.
//
//     asyncio                                          coir
//     loop.run_in_executor(process_pool, f, x)         coir::offload(f, x): a thread, as C++ has no interpreter lock
//     process_pool.map(f, range(n))                    coir::parallel_for(0, n, f)
//     await asyncio.to_thread(f, x)                    coir::offload(f, x)
//     await asyncio.create_subprocess_exec(...)        coir::run_process({...})
//     await asyncio.sleep(0), in a long computation    coir::this_fiber::yield()

#include <coir/coir.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

constexpr int pieces = 100;
constexpr int numbers_each = 15'000;

bool is_prime(int n) {
    for (int d = 2; d * d <= n; ++d) {
        if (n % d == 0) return false;
    }
    return n >= 2;
}

// Computes for some milliseconds without waiting.
long count_primes(int piece) {
    long found = 0;
    for (int n = piece * numbers_each; n < (piece + 1) * numbers_each; ++n) found += is_prime(n) ? 1 : 0;
    return found;
}

long in_a_loop(int first = 0, int step = 1) {
    long found = 0;
    for (int piece = first; piece < pieces; piece += step) found += count_primes(piece);
    return found;
}

// Runs `count(i)` in each of `fibers` fibers, and returns the sum of the results.
long in_fibers(int fibers, const std::function<long(int)>& count) {
    std::vector<std::function<long()>> calls;
    for (int i = 0; i < fibers; ++i) calls.emplace_back([&count, i] { return count(i); });
    const std::vector<long> found = coir::gather(calls);
    return std::reduce(found.begin(), found.end());
}

long in_parallel() {
    std::atomic<long> found = 0;
    coir::parallel_for(0, pieces, [&](int piece) { found += count_primes(piece); });
    return found;
}

// Starts `processes` processes. Process i computes the pieces i, i + processes, ..., and prints its sum.
long in_processes(int processes) {
    return in_fibers(processes, [&](int first) {
        const auto ended = coir::run_process({"/proc/self/exe", std::to_string(first), std::to_string(processes)});
        if (!ended.status.success()) throw std::runtime_error{ended.error};
        return std::stol(ended.output);
    });
}

// Measures the best of three runs, so that other load on the machine matters less.
double show(const char* how, const std::function<long()>& count_all) {
    double best = 1e9;
    long primes = 0;
    for (int round = 0; round < 3; ++round) {
        const auto began = coir::clock::now();
        primes = count_all();
        best = std::min(best, std::chrono::duration<double>(coir::clock::now() - began).count());
    }
    std::printf("%-37s %.2f s  (%ld primes)\n", how, best, primes);
    return best;
}

int main(int argc, char** argv) {
    if (argc == 3) return std::printf("%ld\n", in_a_loop(std::stoi(argv[1]), std::stoi(argv[2]))) > 0 ? 0 : 1;
    std::setbuf(stdout, nullptr);  // print each line at once
    // No other fiber exists yet, so the loop delays nothing.
    const double loop = show("a loop over 100 pieces:", [] { return in_a_loop(); });
    coir::run([loop] {
        const int cores = static_cast<int>(coir::available_cores());
        const auto say_gain = [&](double took) {
            std::printf("  %.1f times the loop's speed: the gain on %d cores, less what other programs take of them\n",
                        loop / took, cores);
        };
        const double fibers = show("100 fibers, a piece each:", [] { return in_fibers(pieces, count_primes); });
        std::printf("  %.1f times the loop's speed: no gain is to be had, since fibers share one thread\n",
                    loop / fibers);
        say_gain(show("100 fibers that offload their pieces:",
                      [] { return in_fibers(pieces, [](int piece) { return coir::offload(count_primes, piece); }); }));
        say_gain(show("parallel_for over the pieces:", in_parallel));
        say_gain(show("a process for each core:", [&] { return in_processes(cores); }));
    });
}
