#include "detect/detector.hpp"

#include <pthread.h>
#include <sys/auxv.h>

#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.hpp"
#include "detect/hooks.hpp"
#include "detect/settings.hpp"
#include "detect/watchdog.hpp"
#include "detect/watched_thread.hpp"

namespace coir {

namespace detail {

namespace {

#if !defined(AT_MINSIGSTKSZ)
#define AT_MINSIGSTKSZ 51  // linux/auxvec.h, since 5.14
#endif

void say_once_that_trap_is_missing() {
    static std::once_flag said;
    std::call_once(said, [] {
        log::info("the blocking engine 'trap' is not part of this version: 'hooks' and 'watch' look for blocking");
    });
}

/// In a child of fork the watchdog is gone, and may have left a lock behind: nobody looks there.
void look_away_after_fork() {
    static std::once_flag arranged;
    std::call_once(arranged, [] { ::pthread_atfork(nullptr, nullptr, [] { monitor::make_current(nullptr); }); });
}

}  // namespace

/// The stack of signal handlers, for a thread that has none: a fiber's own may be too small for a walk up the stack.
attachment::signal_stack::signal_stack() {
    ::sigaltstack(nullptr, &before_);
    if ((before_.ss_flags & SS_DISABLE) == 0) return;
    constexpr std::size_t for_the_walk = std::size_t{64} << 10;
    const std::size_t bytes = for_the_walk + ::getauxval(AT_MINSIGSTKSZ);
    memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
    stack_t ours{};
    ours.ss_sp = memory_.get();
    ours.ss_size = bytes;
    ::sigaltstack(&ours, nullptr);
}

attachment::signal_stack::~signal_stack() {
    if (memory_ != nullptr) ::sigaltstack(&before_, nullptr);
}

attachment::attachment(vitals& thread, const blocking_options& asked) {
    settings how = read_settings(asked);
    // A run on the watchdog's own thread, in on_report, would have to wait for itself.
    if (how.options.policy == blocking_policy::off || watchdog::is_this_thread()) return;
    if (how.trap_was_asked_for) say_once_that_trap_is_missing();
    look_away_after_fork();
    handlers_stack_ = std::make_unique<signal_stack>();
    auto watched = std::make_unique<watched_thread>(thread, std::move(how), watchdog::doorbell());
    try {
        watchdog::watch(*watched);
    } catch (const std::system_error& refused) {
        log::warning(std::string{"nobody looks for blocking calls, as no thread can be had for it: "} + refused.what());
        return;
    }
    watched_ = std::move(watched);
    monitor::make_current(&watched_->shared());
}

attachment::~attachment() {
    if (watched_ == nullptr) return;
    monitor::make_current(nullptr);
    watchdog::leave(*watched_);
}

}  // namespace detail

engine_status active_engine() {
    const detail::monitor* const here = detail::monitor::current();
    if (here == nullptr) return {};
    engine_status status{.on = true, .engine = here->how().options.engine, .missing = {}};
    if (status.engine == blocking_engine::hooks) status.missing = detail::functions_without_hooks();
    return status;
}

}  // namespace coir
