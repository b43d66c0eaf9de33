// Signals, and the standard streams.
#include <coir/coir.hpp>
#include <coir/io/standard_streams.hpp>

#include "faults/programs/declared.hpp"

#include <chrono>
#include <csignal>
#include <string>
#include <sys/types.h>

using namespace std::chrono_literals;

namespace coir::faults {

std::string signals(const std::string&) {
    signal_set terminated{SIGUSR1, SIGUSR2};
    return run([&] {
        int sum = 0;
        task_group group;
        group.spawn([&] { sum += terminated.wait(); });
        group.spawn([&] {
            signal_set also{SIGUSR1};
            std::raise(SIGUSR1);
            sum += also.wait();
        });
        group.wait();
        auto out = io::standard_output();
        out.write_all("to standard output\n");
        out.close();
        auto error = io::standard_error();
        error.write_all("to standard error\n");
        return sum == 2 * SIGUSR1 ? std::string{"both sets"} : "sum " + std::to_string(sum);
    });
}

}  // namespace coir::faults
