#include "detect/watchdog.hpp"

#include "base/own_module.hpp"
#include "base/per_process.hpp"
#include "base/signals_blocked.hpp"
#include "detect/capture.hpp"
#include "detect/watched_thread.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <pthread.h>
#include <signal.h>
#include <thread>
#include <utility>
#include <vector>

namespace coir::detail::watchdog {

namespace {

using namespace std::chrono_literals;

constexpr auto idle_after = 1s;

thread_local constinit bool is_watchdog = false;

void leave_stack(int, siginfo_t*, void*) {
    const int saved = errno;
    if (monitor* const here = monitor::current()) here->leave_sample();
    errno = saved;
}

/// A real-time signal that the program does not use, and its handler.
class stack_signal {
public:
    stack_signal() noexcept {
        // The unwinder makes itself ready at its first call, which is not to be the handler's.
        call_stack unused;
        capture_interrupted(unused);
        for (number_ = SIGRTMAX; number_ >= SIGRTMIN; --number_) {
            struct sigaction ours {};
            if (::sigaction(number_, nullptr, &before_) != 0 || before_.sa_handler != SIG_DFL) continue;
            ours.sa_sigaction = leave_stack;
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

    /// 0 when there is none, or the program has taken it for itself.
    [[nodiscard]] int usable() const noexcept { return is_ours() ? number_ : 0; }
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    [[nodiscard]] bool is_ours() const noexcept {
        struct sigaction now {};
        return number_ != 0 && ::sigaction(number_, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
               now.sa_sigaction == leave_stack;
    }

    int number_ = 0;
    struct sigaction before_ {};
};

/// The watchdog at work. Made with the first thread to be watched.
class patrol {
public:
    patrol() {
        own_module::keep_loaded();
        const signals_blocked inherited;
        thread_ = std::thread{[this] { run(); }};
    }
    ~patrol() {
        ending_.store(true);
        wakeup().ring();
        thread_.join();
    }
    patrol(const patrol&) = delete;
    patrol& operator=(const patrol&) = delete;

    [[nodiscard]] const stack_signal& signal() const noexcept { return signal_; }

    void add(watched_thread& added) {
        const std::lock_guard lock{mutex_};
        added_.push_back(&added);
        wakeup().ring();
    }
    void remove(watched_thread& removed) {
        {
            const std::lock_guard lock{mutex_};
            removed_.push_back(&removed);
        }
        wakeup().ring();
    }

private:
    void run() {
        is_watchdog = true;
        ::pthread_setname_np(::pthread_self(), "coir-watchdog");
        while (!ending_.load()) {
            take_orders();
            const auto now = std::chrono::steady_clock::now();
            for (watched_thread* each : watched_) each->look(now, signal_.usable());
            sleep(now);
        }
    }

    void take_orders() {
        std::vector<watched_thread*> gone;
        {
            const std::lock_guard lock{mutex_};
            watched_.insert(watched_.end(), added_.begin(), added_.end());
            added_.clear();
            gone.swap(removed_);
        }
        for (watched_thread* each : gone) {
            std::erase(watched_, each);
            each->finish();
            each->let_go();
        }
    }

    /// Until the next look. A thread that is idle for long need not be looked at: its hub rings when it is busy again.
    void sleep(std::chrono::steady_clock::time_point now) {
        const bool all_idle = std::ranges::all_of(
            watched_, [&](const watched_thread* each) { return now - each->last_busy() >= idle_after; });
        const bool was_told = std::exchange(told_, all_idle);
        for (watched_thread* each : watched_) {
            each->shared().thread().wakes_watchdog.store(all_idle, std::memory_order_relaxed);
        }
        // A hub that went to work while it was being told may not have seen it: only at the next look, when it has been
        // idle ever since, is it sure to ring.
        if (all_idle && was_told) {
            wakeup().wait();
            told_ = false;
            return;
        }
        std::chrono::nanoseconds interval = 1s;
        for (const watched_thread* each : watched_) interval = std::min(interval, each->interval());
        wakeup().wait_for(interval);
    }

    const stack_signal signal_;
    std::mutex mutex_;  // of what follows
    std::vector<watched_thread*> added_;
    std::vector<watched_thread*> removed_;
    std::atomic<bool> ending_{false};
    std::vector<watched_thread*> watched_;  // the thread's own
    bool told_ = false;                     // the hubs, that nobody looks
    std::thread thread_;
};

/// A forked process has none of its parent's threads, and has its own watchdog when it wants one.
struct employment {
    std::mutex mutex;  // of what follows
    patrol* at_work = nullptr;
    int watched_count = 0;
};

constinit per_process<employment> employments;

/// A signal that is still on its way would end the process once its handler is gone.
void take_back(int signal) noexcept {
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
    employment& here = employments.get();
    const std::lock_guard lock{here.mutex};
    if (here.at_work == nullptr) here.at_work = new patrol;
    ++here.watched_count;
    added.shared().thread().on_busy = [](scheduler_status& thread) noexcept {
        thread.wakes_watchdog.store(false, std::memory_order_relaxed);
        wakeup().ring();
    };
    here.at_work->add(added);
}

void leave(watched_thread& removed) noexcept {
    employment& here = employments.get();
    here.at_work->remove(removed);
    removed.wait_for_let_go();
    take_back(here.at_work->signal().number());
    const std::lock_guard lock{here.mutex};
    if (--here.watched_count > 0) return;
    delete here.at_work;
    here.at_work = nullptr;
}

}  // namespace coir::detail::watchdog
