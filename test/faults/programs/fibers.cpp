// Fibers, their ends, stops and time limits.
#include <coir/coir.hpp>
#include <coir/dump.hpp>

#include "faults/programs/declared.hpp"

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace coir::faults {

std::string fibers(const std::string&) {
    return run([] {
        std::string seen;
        fiber_local<int> mine;

        std::vector<fiber<int>> workers;
        for (int i = 0; i < 20; ++i) {
            workers.push_back(spawn({.name = "worker"}, [&mine, i] {
                *mine = i;
                this_fiber::yield();
                this_fiber::sleep_for(1ms);
                return *mine;
            }));
        }
        int sum = 0;
        for (auto& each : workers) sum += each.get();
        seen += "sum " + std::to_string(sum);

        auto sleeper = spawn([] { this_fiber::sleep_for(1h); });
        if (sleeper.wait_for(1ms) == std::future_status::timeout) seen += ", still asleep";
        sleeper.request_stop();
        sleeper.join();

        if (!try_with_timeout(1ms, [] { this_fiber::sleep_for(1h); })) seen += ", timed out";

        auto large =
            spawn({.name = "large", .stack_size = 1 << 20}, [] { return this_fiber::stack_remaining() > 500'000; });
        if (large.get()) seen += ", large stack";

        std::ostringstream fibers;
        auto parked = spawn({.name = "parked"}, [] { this_fiber::sleep_for(1h); });
        this_fiber::yield();
        dump_fibers(fibers);
        if (fibers.str().find("parked") != std::string::npos) seen += ", dumped";
        return seen;
    });
}

}  // namespace coir::faults
