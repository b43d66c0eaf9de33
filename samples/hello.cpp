// Fibers on one page: spawn, get, names.
//
//     asyncio                          coir
//     asyncio.run(main())              coir::run(main)
//     asyncio.create_task(f(x))        coir::spawn(f, x)
//     await task                       fiber.get()
//     await f(x)                       f(x)
//     await asyncio.sleep(0.1)         coir::this_fiber::sleep_for(100ms)
//
// There is no `async` and no `await`: a fiber has a stack of its own, so any function may suspend, however deep it was
// called. All fibers of one coir::run share one thread, and change places only where one of them waits.

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

// An ordinary function. Nothing in its signature says that it suspends.
std::size_t count_messages(const std::string& word) {
    const std::string me{coir::this_fiber::name()};
    std::printf("  %s: begins, and sleeps for 100 ms\n", me.c_str());
    coir::this_fiber::sleep_for(100ms);  // the other fibers run meanwhile
    std::printf("  %s: has slept, and returns %zu\n", me.c_str(), word.size());
    return word.size();
}

int main() {
    const std::size_t messages = coir::run([] {
        // spawn runs nothing yet: a fiber begins when its spawner first waits, in the order of spawning.
        coir::fiber<std::size_t> first = coir::spawn({.name = "first"}, count_messages, "hello");
        coir::fiber<std::size_t> second = coir::spawn({.name = "second"}, count_messages, "world!");
        std::printf("main: spawned two fibers; neither has run so far\n");

        const std::size_t sum = first.get() + second.get();
        std::printf("main: has both results: %zu messages; note how the fibers took turns\n", sum);

        // An exception travels as a result does: out of get().
        auto failing = coir::spawn({.name = "failing"}, [] { throw std::runtime_error{"no such word"}; });
        try {
            failing.get();
        } catch (const std::runtime_error& error) {
            std::printf("main: a third fiber threw \"%s\", and get() threw it on to main\n", error.what());
        }
        return sum;
    });
    std::printf("coir::run returned what its function returned: %zu\n", messages);
}
