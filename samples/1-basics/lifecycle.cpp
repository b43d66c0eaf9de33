// The states of a fiber, as dump_fibers() shows them: spawned, running, ready, parked, finished.
//
//     asyncio                          coir
//     c = work()                       any callable: nothing runs yet, and it need not be awaited
//     t = asyncio.create_task(c)       auto fiber = coir::spawn(work)
//     await asyncio.sleep(0)           coir::this_fiber::yield()
//     t.done()                         fiber.done()
//     await t                          fiber.get(), or fiber.join() without the result
//     asyncio.all_tasks()              coir::dump_fibers(std::cout)

#include <coir/coir.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

void show(const char* what) {
    std::cout << '\n' << what << '\n';
    coir::dump_fibers(std::cout);
}

int main() {
    coir::run([] {
        // A coroutine object of asyncio must be awaited, or Python warns. A callable is an ordinary value: it may be
        // copied, kept or dropped.
        const auto work = [] {
            show("3. running: the worker has the thread; main waits for its end");
            coir::this_fiber::yield();
            coir::this_fiber::sleep_for(20ms);
            return 42;
        };
        show("1. a callable is not a task: main is the only fiber");

        auto worker = coir::spawn({.name = "worker"}, work);
        show("2. spawned: the worker begins when main first waits; until then it has no stack");

        // Runs each time the worker yields or waits.
        auto observer = coir::spawn({.name = "observer"}, [] {
            show("4. ready: the worker has yielded, and goes on as soon as this fiber waits");
            coir::this_fiber::yield();
            show("5. parked: the worker sleeps, and takes no time until something wakes it");
        });

        worker.join();
        show("6. finished: the worker is no longer listed; its handle keeps the result");
        std::cout << "  worker.done() is " << std::boolalpha << worker.done() << '\n';
        std::cout << "  worker.get() is " << worker.get() << '\n';
        std::cout << "  worker.joinable() is " << worker.joinable() << ", now that the result is taken\n";
        observer.join();
    });
}
