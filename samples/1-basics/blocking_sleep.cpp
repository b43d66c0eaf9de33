// What happens when a fiber calls a function that blocks its thread, and how coir reports it.
//
//     asyncio                                        coir
//     await asyncio.sleep(1)                         coir::this_fiber::sleep_for(1s)
//     time.sleep(1), by mistake                      std::this_thread::sleep_for(1s), by mistake
//     debug mode: "Executing <Task> took 1.0 s"      a warning in every build: the fiber, the line, the replacement
//
// COIR_BLOCKING=off in the environment silences the warnings; COIR_BLOCKING=fail throws an exception instead. In code
// that blocks on purpose, write `coir::allow_blocking permit{"why"};`.

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

using namespace std::chrono_literals;

// Runs ten fibers that each sleep for a second, and prints how long it takes until all have ended.
template <class Sleep> double seconds_for_ten(const std::string& name, Sleep sleep) {
    const auto began = coir::clock::now();
    coir::task_group group;
    for (int i = 1; i <= 10; ++i) group.spawn({.name = name + " " + std::to_string(i)}, sleep);
    group.wait();
    return std::chrono::duration<double>(coir::clock::now() - began).count();
}

int main() {
    std::setbuf(stdout, nullptr);  // print each line at once: the program takes 11 seconds
    coir::run([] {
        const double good = seconds_for_ten("good", [] { coir::this_fiber::sleep_for(1s); });
        std::printf("10 fibers in coir::this_fiber::sleep_for(1s) took %.2f s: they sleep side by side\n", good);

        std::printf("now 10 fibers in std::this_thread::sleep_for(1s); expect warnings:\n");
        const double bad = seconds_for_ten("bad", [] { std::this_thread::sleep_for(1s); });
        std::printf("10 fibers in std::this_thread::sleep_for(1s) took %.2f s: each stopped all the others\n", bad);
    });
}
