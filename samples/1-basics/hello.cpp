// The basics of fibers: spawn, get, names.
//
//     asyncio                          coir
//     asyncio.run(main())              coir::run(main)
//     asyncio.create_task(f(x))        coir::spawn(f, x)
//     await task                       fiber.get()
//     await f(x)                       f(x)
//     await asyncio.sleep(0.1)         coir::this_fiber::sleep_for(100ms)
//
// There is no `async` and no `await`: each fiber has its own stack, so any function may suspend, at any call depth. All
// fibers of one coir::run share one thread, and the scheduler switches only where a fiber waits.

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

// An ordinary function. Nothing in its signature says that it suspends.
std::size_t count_letters(const std::string& word) {
    const std::string me{coir::this_fiber::name()};
    std::printf("  %s: begins, and sleeps for 100 ms\n", me.c_str());
    coir::this_fiber::sleep_for(100ms);  // meanwhile, the other fibers run
    std::printf("  %s: has slept, and returns %zu\n", me.c_str(), word.size());
    return word.size();
}

int main() {
    const std::size_t letters = coir::run([] {
        // spawn only schedules: the new fibers start when this one first waits, in the order of spawning.
        coir::fiber<std::size_t> first = coir::spawn({.name = "first"}, count_letters, "hello");
        coir::fiber<std::size_t> second = coir::spawn({.name = "second"}, count_letters, "world!");
        std::printf("main: spawned two fibers; neither has run so far\n");

        const std::size_t sum = first.get() + second.get();
        std::printf("main: has both results: %zu letters; note how the fibers took turns\n", sum);

        // get() throws the exception with which the fiber ended.
        auto failing = coir::spawn({.name = "failing"}, [] { throw std::runtime_error{"no such word"}; });
        try {
            failing.get();
        } catch (const std::runtime_error& error) {
            std::printf("main: a third fiber threw \"%s\", and get() threw it on to main\n", error.what());
        }
        return sum;
    });
    std::printf("coir::run returned what its function returned: %zu\n", letters);
}
