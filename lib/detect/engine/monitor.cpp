#include "detect/engine/monitor.hpp"

#include "base/log.hpp"
#include "base/system_call.hpp"
#include "core/task/task.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <utility>

namespace coir::detail {

thread_local constinit monitor* monitor::current_ = nullptr;

monitor::monitor(scheduler_status& thread, settings config, wakeup_semaphore& watchdog, blocking_event_memory& memory)
    : thread_{thread}, config_{std::move(config)}, watchdog_{watchdog}, memory_{memory}, events_{memory} {
    // Reserved here because a hook must not allocate: the allocator itself may call a hooked function.
    verdicts_.reserve(blocking_event_table::capacity);
    pending_failures_.reserve(blocking_event_table::capacity);
    thread_.on_pending = throw_pending;
    thread_.blocked = blocked_.data();
}

void monitor::use_engine(blocking_engine engine, std::string_view missing) noexcept {
    missing.copy(memory_.missing.data(), memory_.missing.size() - 1);
    memory_.engine = engine;
}

bool monitor::observes_calls() const noexcept {
    // Calls that a hooked function makes internally are part of that function's call.
    return thread_.running.load(std::memory_order_relaxed)->permits == 0 && !log::is_in_default_log() &&
           !is_in_call(thread_.slices.load(std::memory_order_relaxed));
}

/// Compares the slice, because a call that was left with longjmp(3) never reaches `end_call`.
bool monitor::is_in_call(std::uint64_t slice) const noexcept {
    return memory_.in_call.load(std::memory_order_acquire) != 0 && call_slice_.load(std::memory_order_relaxed) == slice;
}

blocking_event& monitor::prepare_call() noexcept {
    blocking_event& call = memory_.call;
    memory_.in_call.store(0, std::memory_order_relaxed);
    call.kind = blocking_kind::blocked;
    call.count = 1;
    call.longest = call.total = {};
    call.goes_on = call.waits_for_itself = call.is_marked = false;
    call.rule = level_rule::by_call;
    label_running(thread_, call.fiber);
    return call;
}

void monitor::begin_call() noexcept {
    memory_.call_began = std::chrono::steady_clock::now().time_since_epoch().count();
    call_slice_.store(thread_.slices.load(std::memory_order_relaxed), std::memory_order_relaxed);
    call_reported_.store(false, std::memory_order_relaxed);
    memory_.in_call.store(1, std::memory_order_release);
}

void monitor::begin_unpublished_call() noexcept {
    call_slice_.store(thread_.slices.load(std::memory_order_relaxed), std::memory_order_relaxed);
    call_reported_.store(false, std::memory_order_relaxed);
    unpublished_call_.store(true, std::memory_order_release);
}

bool monitor::end_call(std::chrono::nanoseconds held) noexcept {
    memory_.in_call.store(0, std::memory_order_relaxed);
    unpublished_call_.store(false, std::memory_order_relaxed);
    const bool reported = call_reported_.load(std::memory_order_relaxed);
    if (reported) {
        reported_held_.store(held.count(), std::memory_order_relaxed);
        reported_slice_.store(call_slice_.load(std::memory_order_relaxed), std::memory_order_release);
    }
    return reported;
}

bool monitor::is_observed(std::uint64_t slice) const noexcept {
    return is_in_call(slice) ||
           (unpublished_call_.load(std::memory_order_acquire) && call_slice_.load(std::memory_order_relaxed) == slice);
}

namespace {

/// Copies an event that another thread may be modifying; the caller checks afterwards whether the copy is valid. Hidden
/// from the thread sanitizer. Volatile, or else the compiler would call memcpy, which the sanitizer intercepts.
__attribute__((no_sanitize("thread"))) void copy_while_written(const blocking_event& from,
                                                               blocking_event& into) noexcept {
    static_assert(sizeof(blocking_event) % sizeof(long) == 0 && alignof(blocking_event) == alignof(long));
    const auto* const words = reinterpret_cast<const volatile long*>(&from);
    auto* const copies = reinterpret_cast<long*>(&into);
    for (std::size_t i = 0; i < sizeof(blocking_event) / sizeof(long); ++i) copies[i] = words[i];
    into.stack.depth = std::clamp(into.stack.depth, 0, call_stack::depth_max);
    into.fiber.name_bytes = std::min(into.fiber.name_bytes, fiber_label::name_max);
}

}  // namespace

bool monitor::current_call(std::uint64_t slice, blocking_event& into) const noexcept {
    if (!is_in_call(slice)) return false;
    copy_while_written(memory_.call, into);
    return is_in_call(slice);
}

void monitor::count(blocking_class category, std::uint64_t count, std::chrono::nanoseconds held) noexcept {
    blocked_counter& here = blocked_[static_cast<std::size_t>(category)];
    here.count.fetch_add(count, std::memory_order_relaxed);
    here.nanoseconds.fetch_add(held.count(), std::memory_order_relaxed);
}

void monitor::record(const blocking_event& seen) noexcept {
    if (seen.kind != blocking_kind::latent) count(seen.category, seen.count, seen.total);
    const auto [index, is_new] = events_.record(seen);
    if (config_.options.policy == blocking_policy::fail && index >= 0) request_failure(seen.fiber.id, index);
    if (is_new) watchdog_.post();
}

std::chrono::nanoseconds monitor::note_fibers_ran() noexcept {
    const std::int64_t now = thread_.fibers_ran.load(std::memory_order_relaxed);
    memory_.fibers_ran.store(now, std::memory_order_relaxed);
    return std::chrono::nanoseconds{now};
}

void monitor::sample_in_handler() noexcept {
    signals_received_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t slice = thread_.slices.load(std::memory_order_relaxed);
    // The signal has interrupted the SIGSYS handler, which takes the sample in `end_trap`.
    if (trap_slice_.load(std::memory_order_relaxed) != slice) take_sample();
}

void monitor::take_sample() noexcept {
    if (sample_.load(std::memory_order_acquire) != sample::asked) return;
    // The unwinder is not reentrant, so no sample is taken while an exception unwinds the stack.
    const std::uint64_t slice = thread_.slices.load(std::memory_order_relaxed);
    const bool can_sample = slice == sampled_slice_ && runs_fiber(slice) && std::uncaught_exceptions() == 0;
    if (can_sample) capture_interrupted(sampled_stack_);
    sample_.store(can_sample ? sample::taken : sample::refused, std::memory_order_release);
    watchdog_.post();
}

// A trap is identified by its slice, because a trap that was left with longjmp(3) never reaches `end_trap`.

void monitor::begin_trap() noexcept {
    trap_slice_.store(thread_.slices.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

void monitor::end_trap() noexcept {
    take_sample();
    trap_slice_.store(no_slice, std::memory_order_relaxed);
}

bool monitor::runs_fiber(std::uint64_t slice) const noexcept {
    return thread_.selector.load(std::memory_order_relaxed) == scheduler_status::block ||
           trap_slice_.load(std::memory_order_relaxed) == slice;
}

void monitor::ask_for_sample(std::uint64_t slice) noexcept {
    sampled_slice_ = slice;
    sample_.store(sample::asked, std::memory_order_release);
}

void monitor::add_verdict(std::string text) {
    const std::lock_guard lock{mutex_};
    verdicts_.push_back(std::move(text));
    verdict_added_.notify_all();
}

void monitor::request_failure(std::uint64_t fiber, int index) noexcept {
    const std::lock_guard lock{mutex_};
    const bool known =
        std::ranges::any_of(pending_failures_, [&](const pending_failure& each) { return each.fiber == fiber; });
    if (known || pending_failures_.size() == pending_failures_.capacity()) return;
    pending_failures_.push_back({fiber, index});
    thread_.pending.store(true, std::memory_order_relaxed);
}

void monitor::throw_pending(scheduler_status&) {
    if (current_ != nullptr) current_->throw_failure();
}

void monitor::throw_failure() {
    task& self = *thread_.running.load(std::memory_order_relaxed);
    // Held back like a stop: by a shield, and while another exception unwinds the stack.
    if (self.shields > 0 || std::uncaught_exceptions() > 0) return;
    const detection_paused waiting_for_watchdog{self};
    std::unique_lock lock{mutex_};
    const auto found = std::ranges::find(pending_failures_, self.id, &pending_failure::fiber);
    if (found == pending_failures_.end()) return;
    const auto index = static_cast<std::size_t>(found->index);
    pending_failures_.erase(found);
    if (pending_failures_.empty()) thread_.pending.store(false, std::memory_order_relaxed);
    // Waits for the watchdog, which logs the event first and decides whether it is suppressed.
    verdict_added_.wait(lock, [&] { return verdicts_.size() > index; });
    if (!verdicts_[index].empty()) throw blocking_call{verdicts_[index]};
}

long times_asleep() noexcept {
    rusage usage{};
    system_call(SYS_getrusage, RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

watched_call::watched_call(monitor& watcher, const call_name& name, const call_model& model, const void* site) noexcept
    : watcher_{watcher}, seen_{watcher.prepare_call()}, site_{site}, model_{model} {
    seen_.call = model.call != nullptr ? call_name{model.call} : name;
    seen_.category = model.category;
    seen_.rule = model.rule;
    // The complete stack is captured after the call, and only if it is needed.
    seen_.stack.frames[0] = site;
    seen_.stack.depth = 1;
    watcher_.begin_call();
}

watched_call::~watched_call() {
    const int saved = errno;
    const std::chrono::nanoseconds held = outcome_.held();
    const bool slept = outcome_.has_slept();
    const bool reported = watcher_.end_call(held);
    seen_.kind = slept ? blocking_kind::blocked : blocking_kind::latent;
    seen_.longest = held;
    seen_.total = held;
    // Unwinding is too expensive for a call that did not sleep, except with the trap engine, which reports all of them.
    const bool with_stack = slept || watcher_.engine() == blocking_engine::trap;
    if (!reported && with_stack) capture_from(site_, seen_.stack);
    if (!reported && (slept ? held >= model_.least : model_.latent)) watcher_.record(seen_);
    errno = saved;
}

void label_running(const scheduler_status& thread, fiber_label& into) noexcept {
    const task& running = *thread.running.load(std::memory_order_relaxed);
    into.id = running.id;
    into.spawn_site = running.spawn_site;
    into.name_bytes = std::min<unsigned>(running.name_bytes, fiber_label::name_max);
    if (into.name_bytes > 0) std::memcpy(into.bytes.data(), running.name, into.name_bytes);
}

}  // namespace coir::detail
