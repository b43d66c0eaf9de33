#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <coir/blocking.hpp>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/vitals.hpp"
#include "detect/bell.hpp"
#include "detect/settings.hpp"
#include "detect/sightings.hpp"

namespace coir::detail {

/// What a thread that runs fibers and the watchdog tell each other about blocking.
class monitor {
public:
    /// On the thread to be looked at.
    monitor(vitals& thread, settings how, bell& watchdog);
    monitor(const monitor&) = delete;
    monitor& operator=(const monitor&) = delete;

    [[nodiscard]] const settings& how() const noexcept { return how_; }
    [[nodiscard]] vitals& thread() const noexcept { return thread_; }
    [[nodiscard]] sighting_table& sightings() noexcept { return sightings_; }

    // ---- the thread that is looked at ----

    /// The calling thread's, nullptr for none.
    [[nodiscard]] static monitor* current() noexcept { return current_; }
    static void make_current(monitor* here) noexcept { current_ = here; }

    /// The calling thread's while a fiber runs there whose calls are to be looked at, else nullptr. What a hook asks
    /// first.
    [[nodiscard]] static monitor* looking() noexcept {
        monitor* const here = current_;
        return here != nullptr && here->is_looking() ? here : nullptr;
    }

    [[nodiscard]] bool wants(blocking_class category) const noexcept { return how_.options.classes.contains(category); }

    /// A fiber is about to make a call that may sleep; `site` is where it returns to. The watchdog is told.
    void begin_call(const char* name, blocking_class category, const void* site) noexcept;

    /// That call is over. True when the watchdog has spoken of it in the meantime.
    bool end_call() noexcept;

    /// A hook has seen the running fiber.
    void record(const sighting& seen) noexcept;

    /// The signal handler: leaves the stack that it interrupted, if it was asked for it.
    void leave_sample() noexcept;

    // ---- the watchdog's thread ----

    /// The call that a fiber is in, as `begin_call` said; `name` is nullptr when it is in none.
    struct call {
        const char* name = nullptr;
        blocking_class category = blocking_class::other;
        const void* site = nullptr;
    };
    [[nodiscard]] call current_call() const noexcept;

    /// The watchdog speaks of the current call: its end is then not a sighting of its own.
    void claim_call() noexcept { call_claimed_.store(true, std::memory_order_relaxed); }

    enum class sample { none, asked, taken, refused };

    /// Asks the signal handler for the stack of a slice.
    void ask_for_sample(std::uint64_t slice) noexcept;
    [[nodiscard]] sample sample_state() const noexcept { return sample_.load(std::memory_order_acquire); }
    [[nodiscard]] const call_stack& sampled_stack() const noexcept { return sampled_stack_; }
    void forget_sample() noexcept { sample_.store(sample::none, std::memory_order_relaxed); }

    /// The next sighting of the table was judged: empty text when it was suppressed.
    void judged(std::string text);

    /// Policy fail: `blocking_call` is due in that fiber, for what lies at `place` of the table.
    void make_due(std::uint64_t fiber, int place) noexcept;

private:
    struct due {
        std::uint64_t fiber;
        int place;
    };

    [[nodiscard]] bool is_looking() const noexcept;
    static void throw_what_is_due(vitals& thread);
    void throw_due();

    static thread_local constinit monitor* current_ __attribute__((tls_model("initial-exec")));

    vitals& thread_;
    const settings how_;
    bell& watchdog_;
    sighting_table sightings_;

    std::atomic<const char*> call_name_{nullptr};
    std::atomic<blocking_class> call_category_{blocking_class::other};
    std::atomic<const void*> call_site_{nullptr};
    std::atomic<bool> call_claimed_{false};

    std::atomic<sample> sample_{sample::none};
    std::uint64_t sampled_slice_ = 0;
    call_stack sampled_stack_;

    std::mutex mutex_;  // of what follows
    std::condition_variable judgement_;
    std::vector<std::string> verdicts_;  // by place in the table
    std::vector<due> due_;
};

/// A call of the running fiber that may sleep, from before it to after: its outcome tells what it was. Keeps errno.
class watched_call {
public:
    /// A sleep shorter than `least` is nothing to speak of, and with a `least` neither is a call that did not sleep.
    watched_call(monitor& by, const char* name, blocking_class category, const void* site,
                 std::chrono::nanoseconds least = {}) noexcept;
    ~watched_call();
    watched_call(const watched_call&) = delete;
    watched_call& operator=(const watched_call&) = delete;

private:
    monitor& by_;
    const char* const name_;
    const blocking_class category_;
    const void* const site_;
    const std::chrono::nanoseconds least_;
    const long sleeps_before_;
    const std::chrono::steady_clock::time_point began_;
};

/// The fiber that runs; for the scheduler's own thread.
void label_running(const vitals& thread, fiber_label& into) noexcept;

}  // namespace coir::detail
