#include "detect/monitor.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "core/task.hpp"

namespace coir::detail {

namespace {

/// How often the calling thread has gone to sleep: the kernel counts it as a voluntary context switch.
long times_asleep() noexcept {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

}  // namespace

thread_local constinit monitor* monitor::current_ = nullptr;

monitor::monitor(vitals& thread, settings how, bell& watchdog)
    : thread_{thread}, how_{std::move(how)}, watchdog_{watchdog} {
    // A hook must not allocate: it may be called by malloc's own user, anywhere.
    verdicts_.reserve(sighting_table::capacity);
    due_.reserve(sighting_table::capacity);
    thread_.on_pending = throw_what_is_due;
}

bool monitor::is_looking() const noexcept {
    return how_.options.engine == blocking_engine::hooks &&
           thread_.selector.load(std::memory_order_relaxed) == vitals::block &&
           call_name_.load(std::memory_order_relaxed) == nullptr &&  // what a hooked function calls is its own affair
           thread_.running.load(std::memory_order_relaxed)->permits == 0;
}

void monitor::begin_call(const char* name, blocking_class category, const void* site) noexcept {
    call_category_.store(category, std::memory_order_relaxed);
    call_site_.store(site, std::memory_order_relaxed);
    call_claimed_.store(false, std::memory_order_relaxed);
    call_name_.store(name, std::memory_order_release);
}

bool monitor::end_call() noexcept {
    call_name_.store(nullptr, std::memory_order_relaxed);
    return call_claimed_.load(std::memory_order_relaxed);
}

monitor::call monitor::current_call() const noexcept {
    const char* const name = call_name_.load(std::memory_order_acquire);
    return {name, call_category_.load(std::memory_order_relaxed), call_site_.load(std::memory_order_relaxed)};
}

void monitor::record(const sighting& seen) noexcept {
    const auto [place, is_new] = sightings_.record(seen);
    if (how_.options.policy == blocking_policy::fail && seen.kind != blocking_kind::latent && place >= 0) {
        make_due(seen.fiber.id, place);
    }
    if (is_new) watchdog_.ring();
}

void monitor::leave_sample() noexcept {
    if (sample_.load(std::memory_order_acquire) != sample::asked) return;
    // An unwinder that is at work must not be entered a second time.
    const bool same = thread_.slices.load(std::memory_order_relaxed) == sampled_slice_ &&
                      thread_.selector.load(std::memory_order_relaxed) == vitals::block;
    const bool may = same && std::uncaught_exceptions() == 0;
    if (may) capture_interrupted(sampled_stack_);
    sample_.store(may ? sample::taken : sample::refused, std::memory_order_release);
    watchdog_.ring();
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

void monitor::make_due(std::uint64_t fiber, int place) noexcept {
    const std::lock_guard lock{mutex_};
    const bool known = std::ranges::any_of(due_, [&](const due& each) { return each.fiber == fiber; });
    if (known || due_.size() == due_.capacity()) return;
    due_.push_back({fiber, place});
    thread_.pending.store(true, std::memory_order_relaxed);
}

void monitor::throw_what_is_due(vitals&) {
    if (current_ != nullptr) current_->throw_due();
}

void monitor::throw_due() {
    const task& self = *thread_.running.load(std::memory_order_relaxed);
    // Held back as a stop is: by shields, and while a destructor runs because of another exception.
    if (self.shields > 0 || std::uncaught_exceptions() > 0) return;
    std::unique_lock lock{mutex_};
    const auto found = std::ranges::find(due_, self.id, &due::fiber);
    if (found == due_.end()) return;
    const auto place = static_cast<std::size_t>(found->place);
    due_.erase(found);
    if (due_.empty()) thread_.pending.store(false, std::memory_order_relaxed);
    // The log comes first, and only the watchdog knows what is suppressed.
    judgement_.wait(lock, [&] { return verdicts_.size() > place; });
    if (!verdicts_[place].empty()) throw blocking_call{verdicts_[place]};
}

watched_call::watched_call(monitor& by, const char* name, blocking_class category, const void* site,
                           std::chrono::nanoseconds least) noexcept
    : by_{by}, name_{name}, category_{category}, site_{site}, least_{least},
      sleeps_before_{times_asleep()}, began_{std::chrono::steady_clock::now()} {
    by_.begin_call(name, category, site);
}

watched_call::~watched_call() {
    const int saved = errno;
    const bool claimed = by_.end_call();
    const auto held = std::chrono::steady_clock::now() - began_;
    const bool slept = times_asleep() != sleeps_before_;
    if (held >= least_ && (slept || least_ == std::chrono::nanoseconds{0})) {
        sighting seen;
        seen.kind = slept ? blocking_kind::blocked : blocking_kind::latent;
        seen.category = category_;
        seen.call = name_;
        seen.longest = held;
        if (claimed) {
            // Counted already, and added up until the slice ends.
            seen.count = 0;
        } else {
            seen.total = held;
        }
        label_running(by_.thread(), seen.fiber);
        // The watchdog knows of the call's site alone: so that both sightings are one.
        if (slept && !claimed)
            capture_from(site_, seen.stack);
        else
            seen.stack.frames[static_cast<std::size_t>(seen.stack.depth++)] = site_;
        by_.record(seen);
    }
    errno = saved;
}

void label_running(const vitals& thread, fiber_label& into) noexcept {
    const task& running = *thread.running.load(std::memory_order_relaxed);
    into.id = running.id;
    into.spawn_site = running.spawn_site;
    into.name_bytes = std::min<unsigned>(running.name_bytes, fiber_label::name_max);
    if (into.name_bytes > 0) std::memcpy(into.bytes.data(), running.name, into.name_bytes);
}

}  // namespace coir::detail
