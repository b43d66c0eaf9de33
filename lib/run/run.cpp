#include <coir/detail/base/scope_exit.hpp>
#include <coir/fiber.hpp>
#include <coir/run.hpp>

#include "base/sigpipe_blocked.hpp"
#include "core/scheduler.hpp"
#include "core/task/stack_overflow.hpp"
#include "core/task/terminated_destructor.hpp"
#include "detect/detector.hpp"
#include "detect/finding/report_queue.hpp"

#include <stdexcept>

namespace coir::detail {

void run_scheduler(const run_options& options, const closure_ops& ops, void* closure) {
    if (scheduler::current() != nullptr) {
        throw std::logic_error{"run: called in a fiber; use coir::spawn, or call the function directly"};
    }
    const sigpipe_blocked quiet;
    report_queue reports{options.blocking.on_report};
    const terminate_explained explained;
    const stack_overflow_explained overflows{options.explain_stack_overflow};
    scheduler here{{
        .name = options.name,
        .stack_bytes = options.stack_size,
        .clock = options.clock,
        .seed = options.seed,
        .allocator = options.stack_allocator,
        .on_unhandled_exception = options.on_unhandled_exception,
    }};
    const attachment watched{here, options.blocking, reports};

    task& main = here.make_task(sizeof closure, alignof(void*));
    ::new (main.closure()) void* {closure};
    main.ops = &ops;
    const scope_exit at_end{[&main] { scheduler::release(main); }};
    here.start(main, "main", options.main_stack_size, __builtin_return_address(0));
    here.run(main);
    main.failure_seen = true;
    if (main.end == task_end::failed) std::rethrow_exception(main.failure);
    // Only code of the program stops the first fiber.
    if (main.end == task_end::stopped) throw fiber_stopped{"run: the first fiber was stopped and has no result"};
}

}  // namespace coir::detail
