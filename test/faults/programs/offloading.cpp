// Work on threads, and names.
#include <coir/coir.hpp>

#include "faults/programs/declared.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

using namespace std::chrono_literals;

namespace coir::faults {

std::string offloading(const std::string&) {
    return run([] {
        std::string seen = offload([] { return std::string{"in a thread of the pool, a long text"}; });

        std::atomic<int> sum{0};
        parallel_for(0, 100, [&](int i) { sum += i; });
        seen += ", sum " + std::to_string(sum.load());

        offload_pool pool{{.threads = 2, .name = "own"}};
        sum = 0;
        parallel_for(pool, 0, 10, [&](int i) { sum += i; });
        task_group group;
        for (int i = 0; i < 3; ++i) group.spawn([&] { sum += pool.offload([] { return 100; }); });
        group.wait();
        seen += ", sum " + std::to_string(sum.load());

        const auto found = net::resolve("localhost", "80");
        if (std::any_of(found.begin(), found.end(), [](const auto& each) { return each.port() == 80; }))
            seen += ", resolved";
        return seen;
    });
}

}  // namespace coir::faults
