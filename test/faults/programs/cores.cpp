// Schedulers on several threads, and what crosses threads.
#include <coir/coir.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/promise.hpp>
#include <coir/thread/run_on_cores.hpp>
#include <coir/thread/spawn_on.hpp>

#include "faults/programs/declared.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace coir::faults {

std::string cores(const std::string&) {
    concurrent_channel<int> numbers{2};
    concurrent_channel<scheduler_ref> known{1};
    promise<int> made;
    auto awaited = made.get_future();
    std::atomic<int> sum{0};
    run_on_cores(2, [&](unsigned core) {
        if (core == 0) {
            event posted;
            known.send(this_scheduler());
            while (const auto number = numbers.recv()) sum += *number;
            sum += awaited.get();
        } else {
            const auto other = known.recv();
            if (!other) return;
            for (int i = 1; i <= 5; ++i) numbers.send(i);
            sum += spawn_on(
                       *other, [](int a, int b) { return a * b; }, 6, 7)
                       .get();
            event answered;
            const scheduler_ref here = this_scheduler();
            other->post([&answered, here] { here.post([&answered] { answered.set(); }); });
            answered.wait(1s);  // the failure of a posted call is logged
            made.set_value(1000);
            numbers.close();
        }
    });
    return "sum " + std::to_string(sum.load());
}

}  // namespace coir::faults
