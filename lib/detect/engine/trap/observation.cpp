#include "detect/engine/trap/observation.hpp"

#include "detect/calls/named_functions.hpp"

#include <chrono>
#include <cstddef>
#include <utility>

namespace coir::detail {

namespace {

using std::chrono::nanoseconds;

/// sched_yield(2) does not sleep, but code waits in loops of it; each atomic wait of libstdc++ begins with one. A fiber
/// in such a loop blocks its thread too.
constexpr auto yields_too_long = std::chrono::milliseconds{10};
constexpr int yields_too_many = 3;
constexpr auto close_together = std::chrono::microseconds{100};  // yields at most this far apart are one loop

/// The state of a thread between one trap and the next. Valid in one slice.
struct memory_of_traps {
    constexpr explicit memory_of_traps(std::uint64_t now) noexcept : slice{now} {}

    std::uint64_t slice;
    long sleeps_before_pass = -1;  // -1: no call is being made on the fiber's own stack
    std::chrono::steady_clock::time_point pass_began;
    int yields = 0;
    nanoseconds yielded{0};
    std::chrono::steady_clock::time_point last_yield;
};

thread_local constinit memory_of_traps remembered __attribute__((tls_model("initial-exec"))){0};

memory_of_traps& memory_in(const monitor& watcher) noexcept {
    const std::uint64_t slice = watcher.thread().slices.load(std::memory_order_relaxed);
    if (remembered.slice != slice) remembered = memory_of_traps{slice};
    return remembered;
}

/// Captures the stack that the trap has interrupted.
void capture_trapped(call_stack& into) noexcept {
    capture_interrupted(into);
    // The capture has added one to the interrupted address. That address is a return address already, behind the system
    // call instruction.
    if (into.depth > 0) {
        const void*& innermost = into.frames[0];
        innermost = static_cast<const std::byte*>(innermost) - 1;
    }
}

/// Prepares the event of the trapped call.
blocking_event& describe(monitor& watcher, const call_model& model, const call_name& name) noexcept {
    blocking_event& seen = watcher.prepare_call();
    seen.category = model.category;
    seen.rule = model.rule;
    seen.call = name;
    capture_trapped(seen.stack);
    name_by_function(seen);
    return seen;
}

/// The same for a passed call, in a later trap. The C library's clone(2) looks like the outermost function, so that the
/// stack of the call was its innermost frame alone; then the later trap is in the same function.
blocking_event& describe_passed_call(monitor& watcher) noexcept {
    const call_stack& then = watcher.passed_call();
    if (then.depth <= 1) return describe(watcher, {.category = blocking_class::process}, "vfork");
    blocking_event& seen = watcher.prepare_call();
    seen.category = blocking_class::process;
    seen.call = "vfork";
    seen.stack = then;
    name_by_function(seen);
    return seen;
}

void report(monitor& watcher, blocking_event& seen, blocking_kind kind, nanoseconds held) noexcept {
    seen.kind = kind;
    seen.longest = seen.total = held;
    if (watcher.wants(seen.category)) watcher.record(seen);
}

void count_yield(monitor& watcher, nanoseconds held) noexcept {
    memory_of_traps& here = memory_in(watcher);
    const auto now = std::chrono::steady_clock::now();
    const auto since_last = now - std::exchange(here.last_yield, now);
    here.yielded += since_last < held + close_together ? since_last : held;
    if (++here.yields < yields_too_many || here.yielded < yields_too_long) return;
    const call_model yields{.category = blocking_class::cpu};
    report(watcher, describe(watcher, yields, "sched_yield"), blocking_kind::hog, here.yielded);
    here = memory_of_traps{here.slice};
}

}  // namespace

observation::observation(const trapped_call& call) : watcher_{monitor::active_for_traps()}, call_{call}, expected_{} {
    if (watcher_ == nullptr) return;
    expected_ = model_of(call);
    if (expected_.when == call_model::sleeps::unless_ready) {
        describe(*watcher_, expected_, name());
        watcher_->begin_call();
    } else if (expected_.when == call_model::sleeps::unpredictable) {
        watcher_->begin_unpublished_call();
    }
    if (expected_.when != call_model::sleeps::never) outcome_.emplace();
}

observation::observation(by_int80)
    : watcher_{monitor::active_for_traps()}, call_{}, expected_{seldom_sleeps(call_model::sleeps::unless_ready)} {
    expected_.call = "int $0x80";
    if (watcher_ == nullptr) return;
    describe(*watcher_, expected_, name());
    watcher_->begin_call();
    outcome_.emplace();
}

observation::~observation() {
    if (!outcome_) return;
    const nanoseconds held = outcome_->held();
    if (expected_.when == call_model::sleeps::yields) {
        count_yield(*watcher_, held);
        return;
    }
    const bool slept = outcome_->has_slept();
    const bool published = expected_.when == call_model::sleeps::unless_ready;
    if (watcher_->end_call(held) || (slept ? held < expected_.least : !expected_.latent)) return;
    blocking_event& seen = published ? watcher_->call() : describe(*watcher_, expected_, name());
    report(*watcher_, seen, slept ? blocking_kind::blocked : blocking_kind::latent, held);
}

call_name observation::name() const noexcept {
    return expected_.call != nullptr ? call_name{expected_.call} : name_of_system_call(call_.number);
}

void begin_passed_call() {
    monitor* const watcher = monitor::active_for_traps();
    if (watcher == nullptr) return;
    memory_of_traps& here = memory_in(*watcher);
    capture_trapped(watcher->passed_call());
    here.sleeps_before_pass = times_asleep();
    here.pass_began = std::chrono::steady_clock::now();
}

void reset_trap_memory() noexcept { remembered = memory_of_traps{0}; }

void end_passed_call() {
    if (remembered.sleeps_before_pass < 0) return;
    monitor* const watcher = monitor::active_for_traps();
    if (watcher == nullptr) return;
    memory_of_traps& here = memory_in(*watcher);
    const long before = std::exchange(here.sleeps_before_pass, -1);
    if (before < 0 || times_asleep() == before) return;
    const nanoseconds held = std::chrono::steady_clock::now() - here.pass_began;
    report(*watcher, describe_passed_call(*watcher), blocking_kind::blocked, held);
}

}  // namespace coir::detail
