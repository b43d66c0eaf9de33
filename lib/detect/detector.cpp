#include "detect/detector.hpp"

#include "base/clone_refusal.hpp"
#include "base/log.hpp"
#include "detect/hooks.hpp"
#include "detect/settings.hpp"
#include "detect/watchdog.hpp"
#include "detect/watched_thread.hpp"

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

void say_once_that_trap_is_missing(const std::string& why) {
    static std::once_flag said;
    std::call_once(said, [&] { log::info("no traps look for blocking, but hooks and the watchdog: " + why); });
}

/// In a child of fork the watchdog is gone, and may have left a lock behind: nobody looks there.
void look_away_after_fork() {
    static std::once_flag arranged;
    std::call_once(arranged, [] { ::pthread_atfork(nullptr, nullptr, [] { monitor::make_current(nullptr); }); });
}

}  // namespace

/// The stack of signal handlers, for a thread that has none, or a small one: a fiber's own may be too small for a walk
/// up the stack.
attachment::signal_stack::signal_stack() {
    constexpr std::size_t for_the_walk = std::size_t{64} << 10;
    const std::size_t bytes = for_the_walk + ::getauxval(AT_MINSIGSTKSZ);
    ::sigaltstack(nullptr, &before_);
    if ((before_.ss_flags & SS_DISABLE) == 0 && before_.ss_size >= bytes) return;
    // Not from the heap: sanitizers would see handlers write to what another thread has freed.
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error{errno, std::generic_category(), "mmap of a signal stack"};
    ours_.ss_sp = memory;
    ours_.ss_size = bytes;
    ::sigaltstack(&ours_, nullptr);
}

attachment::signal_stack::~signal_stack() {
    if (ours_.ss_sp == nullptr) return;
    ::sigaltstack(&before_, nullptr);
    ::munmap(ours_.ss_sp, ours_.ss_size);
}

attachment::attachment(scheduler_status& thread, const blocking_options& asked) {
    settings how = read_settings(asked);
    // A run on the watchdog's own thread, in on_report, would have to wait for itself.
    if (how.options.policy == blocking_policy::off || watchdog::is_this_thread()) return;
    look_away_after_fork();
    handlers_stack_ = std::make_unique<signal_stack>();
    auto watched = std::make_unique<watched_thread>(thread, std::move(how), watchdog::wakeup());
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
    if (here.how().options.engine == blocking_engine::trap) {
        trap_.emplace(thread);
        if (!trap_->is_set()) say_once_that_trap_is_missing(trap_->missing());
    }
    here.use_engine(trap_ && !trap_->is_set() ? blocking_engine::hooks : here.how().options.engine, missing());
}

/// What is not seen in this program, and why.
std::string attachment::missing() const {
    const blocking_engine asked = watched_->shared().how().options.engine;
    if (asked == blocking_engine::watch) return {};
    std::string text = trap_ ? trap_->missing() : std::string{};
    // Traps see what functions without hooks do, and have their names from the stack.
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
    watchdog::leave(*watched_);
}

}  // namespace detail

engine_status active_engine() {
    const detail::monitor* const here = detail::monitor::current();
    if (here == nullptr) return {};
    return {.on = true, .engine = here->engine(), .missing = here->missing()};
}

}  // namespace coir
