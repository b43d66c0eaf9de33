#include "detect/monitor.hpp"

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

monitor::monitor(scheduler_status& thread, settings how, wakeup_semaphore& watchdog, blocking_event_memory& memory)
    : thread_{thread}, how_{std::move(how)}, watchdog_{watchdog}, memory_{memory}, events_{memory} {
    // A hook must not allocate: it may be called by malloc's own user, anywhere.
    verdicts_.reserve(blocking_event_table::capacity);
    due_.reserve(blocking_event_table::capacity);
    thread_.on_pending = throw_what_is_due;
}

void monitor::use_engine(blocking_engine engine, std::string_view missing) noexcept {
    missing.copy(memory_.missing.data(), memory_.missing.size() - 1);
    memory_.engine = engine;
}

bool monitor::is_curious() const noexcept {
    // What a hooked function calls is its own affair.
    return thread_.running.load(std::memory_order_relaxed)->permits == 0 &&
           !is_in_call(thread_.slices.load(std::memory_order_relaxed));
}

/// A call that a fiber has left by longjmp(3) never ends: the slice tells.
bool monitor::is_in_call(std::uint64_t slice) const noexcept {
    return memory_.in_call.load(std::memory_order_acquire) != 0 && call_slice_.load(std::memory_order_relaxed) == slice;
}

blocking_event& monitor::prepare_call() noexcept {
    blocking_event& call = memory_.call;
    memory_.in_call.store(0, std::memory_order_relaxed);
    call.kind = blocking_kind::blocked;
    call.count = 1;
    call.longest = call.total = {};
    call.goes_on = call.waits_for_itself = false;
    label_running(thread_, call.fiber);
    return call;
}

void monitor::begin_call() noexcept {
    memory_.call_began = std::chrono::steady_clock::now().time_since_epoch().count();
    call_slice_.store(thread_.slices.load(std::memory_order_relaxed), std::memory_order_relaxed);
    call_reported_.store(false, std::memory_order_relaxed);
    memory_.in_call.store(1, std::memory_order_release);
}

bool monitor::end_call() noexcept {
    memory_.in_call.store(0, std::memory_order_relaxed);
    return call_reported_.load(std::memory_order_relaxed);
}

namespace {

/// Copies what another thread may be writing: the caller finds out whether it was. Not for the thread sanitizer to see,
/// nor for the compiler to make a memcpy of, which it would.
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

void monitor::record(const blocking_event& seen) noexcept {
    const auto [index, is_new] = events_.record(seen);
    if (how_.options.policy == blocking_policy::fail && seen.kind != blocking_kind::latent && index >= 0) {
        make_due(seen.fiber.id, index);
    }
    if (is_new) watchdog_.ring();
}

void monitor::leave_sample() noexcept {
    const std::uint64_t slice = thread_.slices.load(std::memory_order_relaxed);
    // Between two instructions of the handler of traps, which leaves the fiber's stack when it is done.
    if (trap_slice_.load(std::memory_order_relaxed) != slice) take_sample();
}

void monitor::take_sample() noexcept {
    if (sample_.load(std::memory_order_acquire) != sample::asked) return;
    // An unwinder that is at work must not be entered a second time.
    const std::uint64_t slice = thread_.slices.load(std::memory_order_relaxed);
    const bool may = slice == sampled_slice_ && runs_fiber(slice) && std::uncaught_exceptions() == 0;
    if (may) capture_interrupted(sampled_stack_);
    sample_.store(may ? sample::taken : sample::refused, std::memory_order_release);
    watchdog_.ring();
}

// By the slice: a trap that a fiber leaves by longjmp(3) has no end.

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

void monitor::judged(std::string text) {
    const std::lock_guard lock{mutex_};
    verdicts_.push_back(std::move(text));
    judgement_.notify_all();
}

void monitor::make_due(std::uint64_t fiber, int index) noexcept {
    const std::lock_guard lock{mutex_};
    const bool known = std::ranges::any_of(due_, [&](const due& each) { return each.fiber == fiber; });
    if (known || due_.size() == due_.capacity()) return;
    due_.push_back({fiber, index});
    thread_.pending.store(true, std::memory_order_relaxed);
}

void monitor::throw_what_is_due(scheduler_status&) {
    if (current_ != nullptr) current_->throw_due();
}

void monitor::throw_due() {
    task& self = *thread_.running.load(std::memory_order_relaxed);
    // Held back as a stop is: by shields, and while a destructor runs because of another exception.
    if (self.shields > 0 || std::uncaught_exceptions() > 0) return;
    const detection_paused waiting_for_watchdog{self};
    std::unique_lock lock{mutex_};
    const auto found = std::ranges::find(due_, self.id, &due::fiber);
    if (found == due_.end()) return;
    const auto index = static_cast<std::size_t>(found->index);
    due_.erase(found);
    if (due_.empty()) thread_.pending.store(false, std::memory_order_relaxed);
    // The log comes first, and only the watchdog knows what is suppressed.
    judgement_.wait(lock, [&] { return verdicts_.size() > index; });
    if (!verdicts_[index].empty()) throw blocking_call{verdicts_[index]};
}

long times_asleep() noexcept {
    rusage usage{};
    system_call(SYS_getrusage, RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

watched_call::watched_call(monitor& by, const char* name, blocking_class category, const void* site,
                           std::chrono::nanoseconds least) noexcept
    : by_{by}, seen_{by.prepare_call()}, site_{site}, least_{least} {
    seen_.call = name;
    seen_.category = category;
    // The whole stack is taken when it is known to be wanted.
    seen_.stack.frames[0] = site;
    seen_.stack.depth = 1;
    by_.begin_call();
}

watched_call::~watched_call() {
    const int saved = errno;
    const std::chrono::nanoseconds held = outcome_.held();
    const bool slept = outcome_.has_slept();
    const bool reported = by_.end_call();
    seen_.kind = slept ? blocking_kind::blocked : blocking_kind::latent;
    seen_.longest = held;
    // What the watchdog has spoken of is counted already, and added up until the slice ends.
    seen_.count = reported ? 0 : 1;
    seen_.total = reported ? std::chrono::nanoseconds{0} : held;
    // It knows of the call's site alone: so that both events are one. What did not sleep is not worth a walk, but
    // where traps are asked for everything is to be known.
    if (!reported && (slept || by_.engine() == blocking_engine::trap)) capture_from(site_, seen_.stack);
    if (held >= least_ && (slept || least_ == std::chrono::nanoseconds{0})) by_.record(seen_);
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
