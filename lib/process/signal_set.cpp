#include <coir/detail/core/let_others_run.hpp>
#include <coir/detail/core/owner.hpp>
#include <coir/error.hpp>
#include <coir/process/signal_set.hpp>

#include "base/check.hpp"
#include "core/scheduler.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <system_error>
#include <utility>

namespace coir {

namespace {

constexpr int signals_max = 64;

constexpr std::uint64_t bit_of(int signal) noexcept { return std::uint64_t{1} << (signal - 1); }

constexpr int lowest(std::uint64_t signals) noexcept { return std::countr_zero(signals) + 1; }

/// Guards the dispositions, and the list of subscriptions, which the handler reads without the lock. Held during a fork,
/// so that no other thread holds it in the child.
constinit std::mutex table_mutex;

/// A waiting fiber, and the signal that it receives.
struct signal_waiter : detail::waiter {
    using waiter::waiter;
    int signal = 0;
};

}  // namespace

/// The part of a set that the signal handler uses. It reaches the scheduler with a message, and only while a fiber
/// waits. So a set without waiters may outlive its scheduler, and does not keep that scheduler waiting for a wake.
class signal_set::subscription : detail::message {
public:
    subscription() noexcept : message{[](message& self) noexcept { static_cast<subscription&>(self).arrived(); }} {}
    ~subscription() { end(); }

    /// Adds a signal, and registers the set with the handler.
    void add(int signal);
    void end() noexcept;

    int wait(const deadline& until);

    /// Whether the message is still under way. The subscription must not be destroyed then; it destroys itself on
    /// arrival.
    [[nodiscard]] bool let_go() noexcept { return orphan_ = posted_.load(); }

private:
    class posting;

    [[nodiscard]] int take() noexcept;
    void arrived() noexcept;
    void notify(int signal) noexcept;

    static void on_signal(int signal) noexcept;
    static void forget_parent() noexcept;
    static void let_handlers_leave() noexcept;
    static bool take_over(int signal) noexcept;
    static void give_back(int signal) noexcept;

    static std::atomic<subscription*> first_;  // list of the registered subscriptions
    static std::atomic<int> handlers_;         // number of running handlers

    std::atomic<subscription*> next_{nullptr};
    std::atomic<std::uint64_t> signals_{0};
    std::atomic<std::uint64_t> pending_{0};
    std::atomic<detail::inbox*> posts_to_{nullptr};  // inbox to post to; set while a fiber waits
    std::atomic<bool> posted_{false};                // the message is under way
    bool registered_ = false;                        // registered with the handler
    bool orphan_ = false;
    std::size_t waiting_ = 0;
    detail::list<signal_waiter> waiters_;
    detail::owner owner_;
};

// ---- the set -----------------------------------------------------------------------------------------------------

signal_set::signal_set(std::initializer_list<int> signals) : subscription_{std::make_unique<subscription>()} {
    for (const int signal : signals) subscription_->add(signal);
}

signal_set::~signal_set() {
    subscription_->end();
    if (subscription_->let_go()) static_cast<void>(subscription_.release());
}

int signal_set::wait(deadline until) {
    const int signal = subscription_->wait(until);
    detail::let_others_run();
    return signal;
}

// ---- waiting -----------------------------------------------------------------------------------------------------

/// While it exists, the handler posts to the scheduler of the waiting fiber, and the scheduler counts that as a
/// possible wake.
class signal_set::subscription::posting {
public:
    posting(subscription& own, detail::inbox& to) noexcept : own_{own}, inbox_{to} {
        inbox_.expect();
        if (own_.waiting_++ == 0) own_.posts_to_.store(&inbox_);
    }
    ~posting() {
        inbox_.expect_no_more();
        if (--own_.waiting_ > 0) return;
        own_.posts_to_.store(nullptr);
        // A handler on another thread may have read the pointer already; the scheduler must not end before that handler
        // has posted.
        let_handlers_leave();
    }
    posting(const posting&) = delete;
    posting& operator=(const posting&) = delete;

private:
    subscription& own_;
    detail::inbox& inbox_;
};

int signal_set::subscription::wait(const deadline& until) {
    detail::scheduler& here = detail::scheduler::enter("signal_set::wait");
    if (owner_.bind_owner(here, "signal_set::wait")) {
        // The waiters of the parent process do not exist in this process.
        waiters_.forget();
        waiting_ = 0;
        posted_.store(false);
    }
    const posting from_now{*this, here.inbox()};
    // Checked after the inbox is set: an earlier signal is pending here, a later one is posted.
    if (const int signal = take(); signal != 0) return signal;
    signal_waiter me{here.running(), "signal_set"};
    waiters_.push_back(me);
    if (here.park(me, until) == detail::outcome::woken) return me.signal;
    // The signal may have come just when the deadline passed.
    if (const int signal = take(); signal != 0) return signal;
    throw timed_out{"signal_set::wait"};
}

/// Called by the hub.
void signal_set::subscription::arrived() noexcept {
    // Reset before the signals are taken: for a signal that arrives in between, the handler posts again.
    posted_.store(false);
    if (orphan_) {
        delete this;
        return;
    }
    while (signal_waiter* const first = waiters_.front()) {
        const int signal = take();
        if (signal == 0) return;
        first->signal = signal;
        first->wake(detail::outcome::woken);
    }
}

int signal_set::subscription::take() noexcept {
    const std::uint64_t pending = pending_.load();
    if (pending == 0) return 0;
    pending_.fetch_and(~bit_of(lowest(pending)));
    return lowest(pending);
}

// ---- the handler, and the dispositions that it replaces -----------------------------------------------------------

/// Runs on any thread, at any point of its code: must be async-signal-safe.
void signal_set::subscription::on_signal(int signal) noexcept {
    const int saved = errno;
    handlers_.fetch_add(1);
    for (subscription* at = first_.load(); at != nullptr; at = at->next_.load()) at->notify(signal);
    handlers_.fetch_sub(1);
    errno = saved;
}

void signal_set::subscription::notify(int signal) noexcept {
    if ((signals_.load() & bit_of(signal)) == 0) return;
    pending_.fetch_or(bit_of(signal));
    detail::inbox* const to = posts_to_.load();
    if (to != nullptr && !posted_.exchange(true)) to->post(*this);
}

/// In a forked process: the handlers must not post to schedulers of the parent, and its threads are not waited for.
void signal_set::subscription::forget_parent() noexcept {
    table_mutex.unlock();
    handlers_.store(0);
    for (subscription* at = first_.load(); at != nullptr; at = at->next_.load()) at->posts_to_.store(nullptr);
}

/// Returns when no handler on another thread can still see the state before the last change. A handler on this thread
/// has already returned.
void signal_set::subscription::let_handlers_leave() noexcept {
    while (handlers_.load() != 0) ::sched_yield();
}

std::atomic<signal_set::subscription*> signal_set::subscription::first_{nullptr};
std::atomic<int> signal_set::subscription::handlers_{0};

namespace {

/// The disposition of a signal before the first set replaced it.
struct disposition {
    struct sigaction before {};
    unsigned sets = 0;
};

std::array<disposition, signals_max + 1> table;

/// Whether a program can continue after the handler of this signal: false for signals that report a fault of the
/// running code.
bool may_be_awaited(int signal) noexcept {
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT: return false;
    default: return signal >= 1 && signal <= signals_max;
    }
}

}  // namespace

bool signal_set::subscription::take_over(int signal) noexcept {
    disposition& taken = table[static_cast<std::size_t>(signal)];
    if (taken.sets == 0) {
        struct sigaction ours {};
        ours.sa_handler = on_signal;
        // SA_RESTART continues interrupted calls. SA_ONSTACK keeps the handler off the small stack of a fiber if the
        // thread has a signal stack. The mask stays empty: other signals may interrupt the handler.
        ours.sa_flags = SA_RESTART | SA_ONSTACK;
        ::sigemptyset(&ours.sa_mask);
        if (::sigaction(signal, &ours, &taken.before) != 0) return false;
    }
    ++taken.sets;
    return true;
}

void signal_set::subscription::give_back(int signal) noexcept {
    disposition& taken = table[static_cast<std::size_t>(signal)];
    if (--taken.sets > 0) return;
    struct sigaction now {};
    // A handler that other code has installed after ours stays.
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == on_signal) {
        ::sigaction(signal, &taken.before, nullptr);
    }
}

void signal_set::subscription::add(int signal) {
    [[maybe_unused]] static const int from_now =
        ::pthread_atfork([] { table_mutex.lock(); }, [] { table_mutex.unlock(); }, forget_parent);
    const std::lock_guard lock{table_mutex};
    if (!std::exchange(registered_, true)) {
        next_.store(first_.load());
        first_.store(this);
    }
    const std::uint64_t before = signals_.load();
    const bool valid = may_be_awaited(signal);
    if (valid && (before & bit_of(signal)) != 0) return;
    // The set before the handler: a signal that arrives in between is not lost.
    if (valid) signals_.store(before | bit_of(signal));
    if (valid && take_over(signal)) return;
    signals_.store(before);
    throw std::system_error{std::make_error_code(std::errc::invalid_argument),
                            "signal_set: signal " + std::to_string(signal) +
                                " cannot be waited for: it is not a valid number, cannot be caught, or reports a "
                                "fault of the running code"};
}

void signal_set::subscription::end() noexcept {
    COIR_CHECK(waiters_.empty() || owner_.is_from_parent_process(),
               "signal_set: destroyed while a fiber waits on it; stop and join the fiber first");
    COIR_CHECK(!owner_.is_elsewhere(), "signal_set: destroyed on another thread than the one that runs its scheduler");
    const std::lock_guard lock{table_mutex};
    if (!std::exchange(registered_, false)) return;
    for (std::uint64_t left = signals_.load(); left != 0; left &= left - 1) give_back(lowest(left));
    std::atomic<subscription*>* link = &first_;
    while (link->load() != this) link = &link->load()->next_;
    link->store(next_.load());
    let_handlers_leave();
}

}  // namespace coir
