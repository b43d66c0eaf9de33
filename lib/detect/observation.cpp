#include "detect/observation.hpp"

#include "detect/named_functions.hpp"

#include <chrono>
#include <cstddef>
#include <utility>

namespace coir::detail {

namespace {

using std::chrono::nanoseconds;

/// sched_yield(2) is no sleep, but waits are made of it: libstdc++ begins each of its atomic ones so. A fiber that
/// gives its thread's time away for long holds the thread all the same.
constexpr auto yields_too_long = std::chrono::milliseconds{10};
constexpr int yields_too_many = 3;
constexpr auto close_together = std::chrono::microseconds{100};  // what lies between two of them is then part of it

/// What a thread remembers from one trap to the next. Valid in one slice.
struct memory_of_traps {
    constexpr explicit memory_of_traps(std::uint64_t now) noexcept : slice{now} {}

    std::uint64_t slice;
    long sleeps_before_pass = -1;  // -1: no pass is under way
    std::chrono::steady_clock::time_point pass_began;
    int yields = 0;
    nanoseconds yielded{0};
    std::chrono::steady_clock::time_point last_yield;
};

thread_local constinit memory_of_traps remembered __attribute__((tls_model("initial-exec"))){0};

memory_of_traps& memory_in(const monitor& by) noexcept {
    const std::uint64_t slice = by.thread().slices.load(std::memory_order_relaxed);
    if (remembered.slice != slice) remembered = memory_of_traps{slice};
    return remembered;
}

/// With the fiber's stack as the trap found it.
blocking_event& describe(monitor& by, blocking_class category, const call_name& name) noexcept {
    blocking_event& seen = by.prepare_call();
    seen.category = category;
    seen.call = name;
    capture_interrupted(seen.stack);
    // An interrupted instruction is stored one byte on. A trap's address is where the call returns to.
    if (seen.stack.depth > 0) {
        const void*& innermost = seen.stack.frames[0];
        innermost = static_cast<const std::byte*>(innermost) - 1;
    }
    name_by_function(seen);
    return seen;
}

void report(monitor& by, blocking_event& seen, blocking_kind kind, nanoseconds held, bool reported = false) noexcept {
    seen.kind = kind;
    seen.longest = held;
    // What the watchdog has spoken of is counted already, and added up until the slice ends.
    seen.count = reported ? 0 : 1;
    seen.total = reported ? nanoseconds{0} : held;
    if (by.wants(seen.category)) by.record(seen);
}

void count_yield(monitor& by, nanoseconds held) noexcept {
    memory_of_traps& here = memory_in(by);
    const auto now = std::chrono::steady_clock::now();
    const auto since_last = now - std::exchange(here.last_yield, now);
    here.yielded += since_last < held + close_together ? since_last : held;
    if (++here.yields < yields_too_many || here.yielded < yields_too_long) return;
    report(by, describe(by, blocking_class::cpu, "sched_yield"), blocking_kind::hog, here.yielded);
    here = memory_of_traps{here.slice};
}

}  // namespace

observation::observation(const trapped_call& call) : by_{monitor::looking_by_traps()}, call_{call}, expected_{} {
    if (by_ == nullptr) return;
    expected_ = model_of(call);
    if (expected_.when == call_model::sleeps::if_it_must) {
        describe(*by_, expected_.category, name_of_system_call(call.number));
        by_->begin_call();
    }
    if (expected_.when != call_model::sleeps::never) outcome_.emplace();
}

observation::~observation() {
    if (!outcome_) return;
    const nanoseconds held = outcome_->held();
    if (expected_.when == call_model::sleeps::yields) {
        count_yield(*by_, held);
        return;
    }
    const bool slept = outcome_->has_slept();
    const bool published = expected_.when == call_model::sleeps::if_it_must;
    const bool reported = published && by_->end_call();
    const bool matters = slept ? held >= expected_.least : published && expected_.least == nanoseconds{0};
    if (!matters) return;
    blocking_event& seen =
        published ? by_->call() : describe(*by_, expected_.category, name_of_system_call(call_.number));
    report(*by_, seen, slept ? blocking_kind::blocked : blocking_kind::latent, held, reported);
}

void expect_judgement() {
    monitor* const by = monitor::looking_by_traps();
    if (by == nullptr) return;
    memory_of_traps& here = memory_in(*by);
    here.sleeps_before_pass = times_asleep();
    here.pass_began = std::chrono::steady_clock::now();
}

void forget_traps() noexcept { remembered = memory_of_traps{0}; }

void judge_last_pass() {
    if (remembered.sleeps_before_pass < 0) return;
    monitor* const by = monitor::looking_by_traps();
    if (by == nullptr) return;
    memory_of_traps& here = memory_in(*by);
    const long before = std::exchange(here.sleeps_before_pass, -1);
    if (before < 0 || times_asleep() == before) return;
    const nanoseconds held = std::chrono::steady_clock::now() - here.pass_began;
    report(*by, describe(*by, blocking_class::process, "vfork"), blocking_kind::blocked, held);
}

}  // namespace coir::detail
