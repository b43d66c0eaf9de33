#include <coir/process/prefork.hpp>
#include <coir/thread/cores.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "prefork/supervisor.hpp"
#include "thread/thread_pool.hpp"

#include <chrono>
#include <stdexcept>
#include <sys/stat.h>
#include <thread>

namespace coir {

namespace {

bool has_other_threads() {
    // The system lists a thread that was joined for a moment longer.
    constexpr int attempts = 20;
    for (int i = 0; i < attempts; ++i) {
        // The links of this directory: its own two, and one for each thread. A directory_iterator would need memory, and
        // ends the program if there is none.
        struct stat threads {};
        if (::stat("/proc/self/task", &threads) != 0 || threads.st_nlink <= 3) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

}  // namespace

int prefork(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options) {
    if (detail::scheduler::current() != nullptr) {
        throw std::logic_error{"prefork: called in a fiber; call it from main, in place of coir::run"};
    }
    detail::thread_pool::end_all_of_process();  // a worker starts threads of its own
    if (has_other_threads()) {
        log::warning("prefork: the program has other threads: they do not exist in the workers, where locks that they "
                     "hold are never unlocked; call prefork before starting threads");
    }
    return detail::supervisor{workers > 0 ? workers : available_cores(), main, options}.run();
}

}  // namespace coir
