// Five philosophers, five forks, and each takes the left fork first: the classic deadlock. coir detects that nothing
// can ever wake the remaining fibers: run() stops all of them and throws coir::deadlock, which lists what each of them
// waits for, and the cycle. (Threads in the same situation just hang.)
//
//     asyncio                                 coir
//     asyncio.Lock                            coir::mutex; `async with lock` is std::lock_guard
//     (hangs)                                 coir::deadlock
//     (nothing of its own)                    std::scoped_lock takes several, in an order that cannot deadlock
//
// With COIR_LOCKDEP=1 (the default in debug builds of coir), coir warns as soon as two mutexes are locked in both
// orders, even if no deadlock occurs.

#include <coir/coir.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

constexpr std::array<std::string_view, 5> philosophers{"Hypatia", "Laozi", "Arendt", "Hume", "Nagarjuna"};

struct table {
    std::array<coir::mutex, philosophers.size()> forks;
    int fed = 0;

    coir::mutex& left_of(std::size_t seat) { return forks[seat]; }
    coir::mutex& right_of(std::size_t seat) { return forks[(seat + 1) % forks.size()]; }
};

void take_one_after_the_other(table& at, std::size_t seat) {
    const std::lock_guard left{at.left_of(seat)};
    coir::this_fiber::sleep_for(1ms);  // think
    const std::lock_guard right{at.right_of(seat)};
    ++at.fed;
}

void take_both_at_once(table& at, std::size_t seat) {
    const std::scoped_lock both{at.left_of(seat), at.right_of(seat)};
    coir::this_fiber::sleep_for(1ms);
    ++at.fed;
}

void dine(void (*manner)(table&, std::size_t)) {
    table here;
    coir::task_group guests;
    for (std::size_t seat = 0; seat < philosophers.size(); ++seat) {
        guests.spawn({.name = philosophers[seat]}, manner, std::ref(here), seat);
    }
    guests.wait();
    std::printf("%d philosophers have eaten\n", here.fed);
}

}  // namespace

int main() {
    std::printf("one fork after the other:\n");
    try {
        coir::run([] { dine(take_one_after_the_other); });
    } catch (const coir::deadlock& stuck) {
        std::printf("%s\n", stuck.what());
    }
    std::printf("both at once:\n");
    coir::run([] { dine(take_both_at_once); });
}
