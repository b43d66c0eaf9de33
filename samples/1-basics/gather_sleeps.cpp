// 100 fibers sleep for a second each, concurrently: it takes about one second in total.
//
//     asyncio                                     coir
//     await asyncio.sleep(1)                      coir::this_fiber::sleep_for(1s)
//     await asyncio.gather(*[f(i) for i in r])    coir::gather(range_of_callables)
//     await asyncio.gather(f(), g())              coir::gather(f, g), which returns a tuple
//
// When one call fails, asyncio.gather lets the others continue; coir::gather stops them and waits for them, like
// asyncio.TaskGroup.

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

using namespace std::chrono_literals;

// Stands for any operation that takes time but no CPU, such as a query or a download.
int slow_square(int number) {
    coir::this_fiber::sleep_for(1s);
    return number * number;
}

double seconds_since(coir::clock::time_point began) {
    return std::chrono::duration<double>(coir::clock::now() - began).count();
}

int main() {
    coir::run([] {
        auto began = coir::clock::now();
        slow_square(1);
        const double one = seconds_since(began);
        std::printf("1 sleep of 1 s took %.2f s\n", one);
        std::fflush(stdout);

        std::vector<std::function<int()>> calls;
        for (int i = 0; i < 100; ++i) calls.emplace_back([i] { return slow_square(i); });

        began = coir::clock::now();
        const std::vector<int> squares = coir::gather(calls);
        const double all = seconds_since(began);
        std::printf("%zu sleeps of 1 s, gathered, took %.2f s; a loop would have taken %.0f s\n", squares.size(), all,
                    one * static_cast<double>(squares.size()));
        std::printf("results come in the order of the calls: %d %d %d ... %d\n", squares[0], squares[1], squares[2],
                    squares.back());
    });
}
