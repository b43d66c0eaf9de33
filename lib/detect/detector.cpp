#include "detect/detector.hpp"

#include "base/clone_refusal.hpp"
#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "detect/engine/hooks/hooks.hpp"
#include "detect/engine/watch/watchdog.hpp"
#include "detect/engine/watch/watched_thread.hpp"
#include "detect/finding/report_queue.hpp"
#include "detect/settings.hpp"

#include <cerrno>
#include <mutex>
#include <pthread.h>
#include <string>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <system_error>
#include <utility>

namespace coir {

namespace detail {

namespace {

#if !defined(AT_MINSIGSTKSZ)
#define AT_MINSIGSTKSZ 51  // linux/auxvec.h, since 5.14
#endif

void log_missing_trap_once(const std::string& why) {
    static std::once_flag logged;
    std::call_once(logged, [&] {
        log::info("blocking detection: system calls are not trapped, hooks and the watchdog are used instead: " + why);
    });
}

/// Turns detection off in a child of fork(2): the watchdog does not run there, and a lock may have been held at the
/// fork.
void turn_off_after_fork() {
    static std::once_flag registered;
    std::call_once(registered, [] { ::pthread_atfork(nullptr, nullptr, [] { monitor::make_current(nullptr); }); });
}

}  // namespace

/// Sets up an alternate signal stack unless the thread has a large enough one. The stack of a fiber may be too small
/// for unwinding in a signal handler.
attachment::signal_stack::signal_stack() {
    constexpr std::size_t unwinder_bytes = std::size_t{64} << 10;
    const std::size_t bytes = unwinder_bytes + ::getauxval(AT_MINSIGSTKSZ);
    ::sigaltstack(nullptr, &before_);
    if ((before_.ss_flags & SS_DISABLE) == 0 && before_.ss_size >= bytes) return;
    // Not from the heap: a sanitizer would report a handler that writes to memory freed by another thread.
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::system_error{errno, std::generic_category(),
                                "blocking detection: cannot map memory for the signal stack"};
    ours_.ss_sp = memory;
    ours_.ss_size = bytes;
    ::sigaltstack(&ours_, nullptr);
}

attachment::signal_stack::~signal_stack() {
    if (ours_.ss_sp == nullptr) return;
    ::sigaltstack(&before_, nullptr);
    ::munmap(ours_.ss_sp, ours_.ss_size);
}

/// Delegates, so that the destructor runs if this throws.
attachment::attachment(scheduler& run, const blocking_options& requested, report_queue& reports) : attachment{} {
    scheduler_status& thread = run.status();
    settings config = read_settings(requested);
    if (config.options.policy == blocking_policy::off) return;
    // A run inside a function for the log or for reports would wait for itself.
    if (watchdog::is_this_thread() || report_queue::is_delivering()) return;
    turn_off_after_fork();
    handlers_stack_ = std::make_unique<signal_stack>();
    auto watched = std::make_unique<watched_thread>(thread, std::move(config), watchdog::wakeup(), reports);
    reports.start_fibers_in(run);
    try {
        watchdog::watch(*watched);
    } catch (const std::system_error& refused) {
        log::warning(std::string{"blocking detection is off: cannot start the watchdog thread: "} + refused.what() +
                     clone_refusal(refused.code().value()));
        return;
    }
    watched_ = std::move(watched);
    monitor& here = watched_->shared();
    monitor::make_current(&here);
    if (here.config().options.engine == blocking_engine::trap) {
        trap_.emplace(thread);
        if (!trap_->is_set()) log_missing_trap_once(trap_->missing());
    }
    here.use_engine(trap_ && !trap_->is_set() ? blocking_engine::hooks : here.config().options.engine, missing());
}

/// Names the calls that the engine cannot detect in this program, and the reason.
std::string attachment::missing() const {
    const blocking_engine requested = watched_->shared().config().options.engine;
    if (requested == blocking_engine::watch) return {};
    std::string text = trap_ ? trap_->missing() : std::string{};
    // Traps detect the system calls of functions without hooks too, and find the function's name on the stack.
    if (!trap_ || !trap_->is_set()) {
        const std::string hooks = calls_without_hooks();
        text.append(text.empty() || hooks.empty() ? "" : "; ").append(hooks);
    }
    return text;
}

attachment::~attachment() {
    if (watched_ == nullptr) return;
    trap_.reset();
    monitor::make_current(nullptr);
    watchdog::unwatch(*watched_);
}

}  // namespace detail

engine_status active_engine() {
    const detail::monitor* const here = detail::monitor::current();
    if (here == nullptr) return {};
    return {.on = true, .engine = here->engine(), .missing = here->missing()};
}

}  // namespace coir
