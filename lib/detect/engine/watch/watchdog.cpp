#include "detect/engine/watch/watchdog.hpp"

#include "base/call_stack.hpp"
#include "base/own_module.hpp"
#include "base/per_process.hpp"
#include "base/signals_blocked.hpp"
#include "detect/engine/trap/trap.hpp"
#include "detect/engine/watch/watched_thread.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <pthread.h>
#include <signal.h>
#include <thread>
#include <utility>

namespace coir::detail::watchdog {

namespace {

using namespace std::chrono_literals;

constexpr auto idle_after = 1s;
constexpr std::chrono::nanoseconds mends_at_least_each = 5ms;  // signal handlers, while there are traps

thread_local constinit bool is_watchdog = false;

void sample_stack(int, siginfo_t*, void*) {
    const int saved = errno;
    if (monitor* const here = monitor::current()) here->sample_in_handler();
    errno = saved;
}

/// Reserves a real-time signal that the program does not use, and installs the handler that samples a stack.
class stack_signal {
public:
    stack_signal() noexcept {
        // The unwinder initialises itself at its first call. That must not be in the handler.
        call_stack unused;
        capture_interrupted(unused);
        // A program that blocks a signal may read it with signalfd(2) or sigwait(3).
        sigset_t blocked;
        ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
        for (number_ = SIGRTMAX; number_ >= SIGRTMIN; --number_) {
            struct sigaction ours {};
            if (::sigismember(&blocked, number_) != 0) continue;
            if (::sigaction(number_, nullptr, &before_) != 0 || before_.sa_handler != SIG_DFL) continue;
            ours.sa_sigaction = sample_stack;
            ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
            ::sigfillset(&ours.sa_mask);
            ::sigaction(number_, &ours, nullptr);
            return;
        }
        number_ = 0;
    }
    ~stack_signal() {
        if (is_ours()) ::sigaction(number_, &before_, nullptr);
    }
    stack_signal(const stack_signal&) = delete;
    stack_signal& operator=(const stack_signal&) = delete;

    /// The signal number; 0 if no signal was free, or the program has replaced the handler since.
    [[nodiscard]] int usable() const noexcept { return is_ours() ? number_ : 0; }
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    [[nodiscard]] bool is_ours() const noexcept {
        struct sigaction now {};
        return number_ != 0 && ::sigaction(number_, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
               now.sa_sigaction == sample_stack;
    }

    int number_ = 0;
    struct sigaction before_ {};
};

/// Without memory or descriptors for a report the program goes on. The next inspection tries again.
template <class F> void skip_if_refused(F work) noexcept {
    try {
        work();
    } catch (...) {
    }
}

/// The watchdog's thread and its state. Created for the first watched thread.
class watchdog_thread {
public:
    watchdog_thread() {
        own_module::keep_loaded();
        const signals_blocked inherited;
        thread_ = std::thread{[this] { run(); }};
    }
    ~watchdog_thread() {
        ending_.store(true);
        wakeup().post();
        thread_.join();
    }
    watchdog_thread(const watchdog_thread&) = delete;
    watchdog_thread& operator=(const watchdog_thread&) = delete;

    [[nodiscard]] const stack_signal& signal() const noexcept { return signal_; }

    void add(watched_thread& added) noexcept {
        const std::lock_guard lock{mutex_};
        added_.push_back(added);
        wakeup().post();
    }
    void remove(watched_thread& removed) noexcept {
        removed.leave();
        wakeup().post();
    }

private:
    void run() noexcept {
        is_watchdog = true;
        ::pthread_setname_np(::pthread_self(), "coir-watchdog");
        while (!ending_.load()) {
            apply_changes();
            const bool has_traps = mend_signal_handlers();
            const auto now = std::chrono::steady_clock::now();
            watched_.for_each(
                [&](watched_thread& each) { skip_if_refused([&] { each.inspect(now, signal_.usable()); }); });
            sleep(now, has_traps ? mends_at_least_each : 1s);
        }
    }

    void apply_changes() noexcept {
        {
            const std::lock_guard lock{mutex_};
            while (watched_thread* const added = added_.pop_front()) watched_.push_back(*added);
        }
        watched_.for_each([](watched_thread& each) {
            if (!each.is_leaving()) return;
            each.unlink();
            skip_if_refused([&] { each.finish(); });
            each.release();
        });
    }

    /// Sleeps until the next inspection, for at most `interval`. While all threads have been idle for a while, sleeps
    /// without a time limit: the hub of a thread wakes the watchdog when the thread becomes busy again.
    void sleep(std::chrono::steady_clock::time_point now, std::chrono::nanoseconds interval) noexcept {
        bool all_idle = true;
        watched_.for_each([&](watched_thread& each) {
            interval = std::min(interval, each.interval());
            all_idle = all_idle && now - each.last_busy() >= idle_after;
        });
        const bool were_asked = std::exchange(hubs_asked_, all_idle);
        watched_.for_each([&](watched_thread& each) {
            each.shared().thread().wakes_watchdog.store(all_idle, std::memory_order_relaxed);
        });
        // A hub that became busy at the moment of the store may have missed it, and then would not wake the watchdog.
        // So the watchdog sleeps without a limit only if all hubs were idle again at the next inspection.
        if (all_idle && were_asked) {
            wakeup().wait();
            hubs_asked_ = false;
            return;
        }
        wakeup().wait_for(interval);
    }

    const stack_signal signal_;
    std::mutex mutex_;  // protects `added_`
    list<watched_thread> added_;
    std::atomic<bool> ending_{false};
    list<watched_thread> watched_;  // only for the watchdog's thread
    bool hubs_asked_ = false;       // to wake the watchdog (`scheduler_status::wakes_watchdog`)
    std::thread thread_;
};

/// The watchdog of one process. A forked process does not have the threads of its parent, so it starts its own
/// watchdog.
struct process_watchdog {
    std::mutex mutex;  // protects the members below
    watchdog_thread* running = nullptr;
    int watched_count = 0;
};

constinit per_process<process_watchdog> watchdogs;

/// Discards a pending signal of the watchdog, which would kill the process once its handler is removed.
void discard_pending(int signal) noexcept {
    if (signal == 0) return;
    sigset_t only;
    sigset_t before;
    ::sigemptyset(&only);
    ::sigaddset(&only, signal);
    ::pthread_sigmask(SIG_BLOCK, &only, &before);
    const timespec at_once{};
    while (::sigtimedwait(&only, nullptr, &at_once) == signal) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

wakeup_semaphore& wakeup() noexcept {
    static wakeup_semaphore one;
    return one;
}

bool is_this_thread() noexcept { return is_watchdog; }

void watch(watched_thread& added) {
    process_watchdog& here = watchdogs.get();
    const std::lock_guard lock{here.mutex};
    if (here.running == nullptr) here.running = new watchdog_thread;
    ++here.watched_count;
    added.shared().thread().on_busy = [](scheduler_status& thread) noexcept {
        thread.wakes_watchdog.store(false, std::memory_order_relaxed);
        wakeup().post();
    };
    here.running->add(added);
}

void unwatch(watched_thread& removed) noexcept {
    process_watchdog& here = *watchdogs.find();  // made by `watch`, in this process
    here.running->remove(removed);
    removed.wait_for_release();
    if (removed.has_pending_signal()) discard_pending(here.running->signal().number());
    const std::lock_guard lock{here.mutex};
    if (--here.watched_count > 0) return;
    delete here.running;
    here.running = nullptr;
}

}  // namespace coir::detail::watchdog
