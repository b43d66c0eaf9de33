#include <pthread.h>
#include <signal.h>

#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <ctime>
#include <stdexcept>

#include "core/scheduler.hpp"
#include "detect/detector.hpp"

namespace coir::detail {

namespace {

/// Keeps SIGPIPE away from the thread: write(2), splice(2), sendfile(2) and OpenSSL raise it, and have no MSG_NOSIGNAL.
/// One that is pending at the end is the library's doing, and is taken back before the mask is.
class sigpipe_blocked {
public:
    sigpipe_blocked() noexcept {
        ::sigemptyset(&only_sigpipe_);
        ::sigaddset(&only_sigpipe_, SIGPIPE);
        sigset_t pending;
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &only_sigpipe_, &before_);
    }
    ~sigpipe_blocked() {
        const timespec at_once{};
        if (!was_pending_) {
            while (::sigtimedwait(&only_sigpipe_, nullptr, &at_once) == SIGPIPE) {}
        }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    sigpipe_blocked(const sigpipe_blocked&) = delete;
    sigpipe_blocked& operator=(const sigpipe_blocked&) = delete;

private:
    sigset_t only_sigpipe_;
    sigset_t before_;
    bool was_pending_ = false;
};

}  // namespace

void run_scheduler(const run_options& options, const closure_ops& ops, void* closure) {
    if (scheduler::current() != nullptr) {
        throw std::logic_error{"coir::run was called within a fiber: use coir::spawn, or call the function itself"};
    }
    const sigpipe_blocked quiet;
    scheduler here{{
        .name = options.name,
        .stack_bytes = options.stack_size,
        .clock = options.clock,
        .seed = options.seed,
        .allocator = options.stack_allocator,
        .on_unhandled_exception = options.on_unhandled_exception,
    }};
    const attachment watched{here.vitals(), options.blocking};

    task& main = here.make_task(sizeof closure, alignof(void*));
    ::new (main.closure()) void* {closure};
    main.ops = &ops;
    here.start(main, "main", options.main_stack_size, nullptr);
    struct released {
        task& main;
        ~released() { scheduler::release(main); }
    } const at_end{main};
    here.run(main);
    main.failure_seen = true;
    if (main.end == task_end::failed) std::rethrow_exception(main.failure);
    // Nobody stops the first fiber but its own code, which let `cancelled` pass.
    if (main.end == task_end::stopped) throw fiber_stopped{"the first fiber ended by a stop and has no result"};
}

}  // namespace coir::detail
