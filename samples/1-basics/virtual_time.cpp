// A test of an hour's timeout that takes no time. In virtual time the clock stands still while a fiber runs, and jumps
// to the next timer when all fibers wait. By coir::clock, sleeps, deadlines and timeouts keep their length, but they
// pass at once. The code under test needs no change.
//
//     asyncio, with an event loop for tests           coir
//     looptime, or a patched loop.time()              coir::run({.clock = coir::clock_mode::virtual_time}, main)
//     (nothing of its own)                            coir::test::explore(1000, test), COIR_SEED=n

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

using namespace std::chrono_literals;

// The code under test: repeats a request after 1 s, 2 s, 4 s, ..., and gives up after an hour.
template <class F> int ask_with_patience(F&& ask) {
    return coir::with_timeout(1h, [&] {
        for (auto pause = 1s;; pause *= 2) {
            try {
                return ask();
            } catch (const std::runtime_error&) {
                coir::this_fiber::sleep_for(pause);
            }
        }
    });
}

double seconds(std::chrono::nanoseconds length) { return std::chrono::duration<double>(length).count(); }

void show_patience() {
    const auto real = std::chrono::steady_clock::now();
    coir::run({.clock = coir::clock_mode::virtual_time}, [] {
        const auto began = coir::clock::now();
        int asked = 0;
        const int answer = ask_with_patience([&] {
            if (++asked <= 8) throw std::runtime_error{"busy"};
            return 42;
        });
        std::printf("an answer (%d) after %d questions and %.0f s\n", answer, asked,
                    seconds(coir::clock::now() - began));

        try {
            ask_with_patience([]() -> int { throw std::runtime_error{"down"}; });
        } catch (const coir::timed_out&) {
            std::printf("given up at %.0f s\n", seconds(coir::clock::now() - began));
        }
    });
    const bool at_once = std::chrono::steady_clock::now() - real < 10s;
    std::printf("by the clock on the wall: %s\n", at_once ? "no time at all" : "too long");
}

// A race: two customers book one seat. The check and the booking are two steps, with a wait between them. In the usual
// order the second customer comes late enough, and every test passes.
void book_the_last_seat() {
    int seats = 1;
    const auto book = [&](int pages_read_first) {
        for (int page = 0; page < pages_read_first; ++page) coir::this_fiber::yield();
        if (seats == 0) return;
        coir::this_fiber::yield();  // waits for the payment, and does not check the seat again
        --seats;
    };
    coir::gather([&] { book(0); }, [&] { book(3); });
    if (seats < 0) throw std::logic_error{"one seat is sold twice"};
}

void show_search() {
    coir::run(book_the_last_seat);
    std::printf("first come, first served: the seat is sold once\n");
    int runs = 0;
    try {
        coir::test::explore(1000, [&] {
            ++runs;
            book_the_last_seat();
        });
        std::printf("explore: nothing found in %d orders\n", runs);
    } catch (const std::logic_error& failure) {
        std::printf("explore, order %d: %s\n", runs, failure.what());  // the log shows how to reproduce it
    }
}

int main() {
    std::setbuf(stdout, nullptr);  // keep the order with the log, which goes to standard error
    show_patience();
    show_search();
}
