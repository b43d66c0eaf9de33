// Blocking detection: a call that sleeps, under each engine.
#include <coir/coir.hpp>

#include "faults/programs/declared.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace coir::faults {

namespace {

/// Throws if there is no report: the log says why.
std::string blocked_under(blocking_engine engine, const char* name) {
    bool found = false;
    run_options options;
    options.blocking.engine = engine;
    options.blocking.stall_threshold = 5ms;
    options.blocking.on_report = [&](const blocking_report&) { found = true; };
    // On a busy machine, the watchdog may see nothing at first.
    for (int tries = 0; !found && tries < 5; ++tries) {
        run(options, [&] {
            if (!active_engine().on) throw std::runtime_error{"detection is off: " + active_engine().missing};
            std::this_thread::sleep_for(30ms);
        });
    }
    if (!found) throw std::runtime_error{std::string{"no report by "} + name};
    return name;
}

}  // namespace

std::string blocking_detection(const std::string&) {
    return blocked_under(blocking_engine::watch, "watch") + ", " + blocked_under(blocking_engine::hooks, "hooks") +
           ", " + blocked_under(blocking_engine::trap, "trap");
}

}  // namespace coir::faults
