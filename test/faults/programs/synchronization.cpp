// Channels, select, task groups, and one of each of the waits among fibers.
#include <coir/coir.hpp>
#include <coir/sync/barrier.hpp>
#include <coir/sync/latch.hpp>
#include <coir/sync/once_flag.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/sync/shared_mutex.hpp>

#include "faults/programs/declared.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

using namespace std::chrono_literals;

namespace coir::faults {

namespace {

std::string through_channels() {
    channel<std::string> texts{2};
    channel<int> numbers;
    std::string seen;
    task_group group;
    group.spawn([&] {
        for (int i = 0; i < 5; ++i) texts.send("a text that is long enough to be allocated");
        texts.close();
    });
    group.spawn([&] {
        for (int i = 0; i < 5; ++i) numbers.send(i);
        numbers.close();
    });
    group.spawn([&] {
        std::size_t bytes = 0;
        int sum = 0;
        for (bool texts_open = true, numbers_open = true; texts_open || numbers_open;) {
            if (!texts_open) {
                const auto number = numbers.recv();
                numbers_open = number.has_value();
                sum += number.value_or(0);
                continue;
            }
            select(on_recv(texts,
                           [&](std::optional<std::string> text) {
                               texts_open = text.has_value();
                               bytes += text ? text->size() : 0;
                           }),
                   on_recv(numbers,
                           [&](std::optional<int> number) {
                               numbers_open = number.has_value();
                               sum += number.value_or(0);
                               if (!number) this_fiber::yield();
                           }),
                   on_timeout(1h, [] {}));
        }
        seen = std::to_string(bytes) + " bytes, sum " + std::to_string(sum);
    });
    group.wait();
    return seen;
}

int with_locks() {
    mutex one;
    recursive_mutex again;
    shared_mutex shared;
    condition_variable changed;
    binary_semaphore permits{1};
    event begun;
    latch loaded{3};
    once_flag first;
    int count = 0;
    {
        barrier together{3};
        task_group group;
        for (int i = 0; i < 3; ++i) {
            group.spawn([&] {
                call_once(first, [&] { begun.set(); });
                begun.wait();
                loaded.arrive_and_wait();
                permits.acquire();
                {
                    const std::lock_guard outer{again};
                    const std::lock_guard inner{again};
                    this_fiber::yield();
                }
                permits.release();
                {
                    const std::shared_lock reader{shared};
                    this_fiber::yield();
                }
                {
                    const std::lock_guard writer{shared};
                    ++count;
                }
                together.arrive_and_wait();
                std::unique_lock lock{one};
                ++count;
                changed.notify_all();
                changed.wait(lock, [&] { return count == 6; });
            });
        }
        group.wait();
    }
    return count;
}

}  // namespace

std::string synchronization(const std::string&) {
    return run([] {
        std::string seen = through_channels() + ", count " + std::to_string(with_locks());
        const auto [six, seven] = gather([] { return 6; }, [] { return 7; });
        seen += ", product " + std::to_string(six * seven);
        return seen;
    });
}

}  // namespace coir::faults
