// Fibers are for waiting, not for computing: they share one thread, so they count no faster than a loop. For that there
// is offload, which runs a function on a thread of a pool while the calling fiber waits.
//
//     asyncio                                          coir
//     loop.run_in_executor(process_pool, f, x)         coir::offload(f, x): threads, as there is no interpreter lock
//     await asyncio.to_thread(f, x)                    coir::offload(f, x)
//     await asyncio.sleep(0), in a long computation    coir::this_fiber::yield()

#include <algorithm>
#include <chrono>
#include <coir/coir.hpp>
#include <cstdio>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

constexpr int pieces = 100;
constexpr int numbers_each = 15'000;

bool is_prime(int n) {
    for (int d = 2; d * d <= n; ++d) {
        if (n % d == 0) return false;
    }
    return n >= 2;
}

// Computes for some milliseconds, and never waits.
long count_primes(int piece) {
    long found = 0;
    for (int n = piece * numbers_each; n < (piece + 1) * numbers_each; ++n) found += is_prime(n) ? 1 : 0;
    return found;
}

long in_a_loop() {
    long found = 0;
    for (int piece = 0; piece < pieces; ++piece) found += count_primes(piece);
    return found;
}

// One fiber for each piece; `count` is what the fiber does for its piece.
long in_fibers(const std::function<long(int)>& count) {
    std::vector<std::function<long()>> calls;
    for (int piece = 0; piece < pieces; ++piece) calls.emplace_back([&count, piece] { return count(piece); });
    const std::vector<long> found = coir::gather(calls);
    return std::reduce(found.begin(), found.end());
}

// The best time of three, so that what else the machine does matters less.
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

int main() {
    std::setbuf(stdout, nullptr);                                    // each line at once
    const double loop = show("a loop over 100 pieces:", in_a_loop);  // outside of coir::run: there is nobody to hold up

    coir::run([loop] {
        const double fibers = show("100 fibers, a piece each:", [] { return in_fibers(count_primes); });
        std::printf("  %.1f times the loop's speed: no gain is to be had, since fibers share one thread\n",
                    loop / fibers);

        const double offloaded = show("100 fibers that offload their pieces:", [] {
            return in_fibers([](int piece) { return coir::offload(count_primes, piece); });
        });
        std::printf("  %.1f times the loop's speed: the gain on %u cores, less what other programs take of them\n",
                    loop / offloaded, std::thread::hardware_concurrency());
    });
}
