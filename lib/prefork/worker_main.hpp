#pragma once

#include <coir/process/prefork_options.hpp>
#include <coir/process/worker.hpp>

#include "base/unique_fd.hpp"
#include "prefork/shared_stats.hpp"

#include <functional>
#include <memory>
#include <signal.h>
#include <string>
#include <vector>

namespace coir::detail {

/// What a worker's process has from its parent.
struct worker_start {
    unsigned index;
    std::vector<unique_fd> listening;
    unique_fd ready;                      // one byte: it is
    unique_fd lifeline;                   // its end is the parent's
    std::unique_ptr<shared_stats> stats;  // none when nobody asks
    sigset_t mask;                        // as it was before the parent blocked what it waits for
};

/// The life of a worker's process, from the fork on.
[[noreturn]] void run_worker(worker_start start, const std::function<void(worker&)>& main, const run_options& options);

}  // namespace coir::detail
