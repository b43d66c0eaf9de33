#pragma once

#include <coir/thread/offload.hpp>

#include "core/scheduler.hpp"
#include "thread/thread_pool.hpp"

#include <utility>

namespace coir::detail {

/// As `coir::offload`, but on the process's threads for work of this kind.
template <class F> auto offload_in(lane of, F&& f) {
    scheduler& here = scheduler::enter("offload");
    const auto pool = [&] {
        const detection_paused making{here.running()};
        return &thread_pool::of_process(of);
    };
    return offload_to(pool(), std::forward<F>(f));
}

}  // namespace coir::detail
