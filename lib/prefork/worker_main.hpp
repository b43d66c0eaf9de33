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

/// What a worker process inherits from its parent.
struct worker_start {
    unsigned index;
    std::vector<unique_fd> listening;
    unique_fd ready;                      // pipe: one byte means that the worker is ready
    unique_fd lifeline;                   // pipe: end of file means that the parent has died
    std::unique_ptr<shared_stats> stats;  // null without `prefork_options::on_stats`
    sigset_t mask;                        // signal mask of the program before `prefork`
};

/// Runs a worker process, from the fork to its exit: with code 0 when `main` has returned, with 1 when it has thrown.
[[noreturn]] void run_worker(worker_start start, const std::function<void(worker&)>& main, const run_options& options);

}  // namespace coir::detail
