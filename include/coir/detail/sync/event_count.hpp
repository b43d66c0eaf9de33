#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>

namespace coir::detail {

class parker;

/// Fibers and threads that wait for one side of what threads share. They are told that it may be their turn, not handed
/// anything: who is woken tries again. Who changes the state then asks `anyone`; who waits counts itself in and then
/// looks at the state once more: both sequentially consistent, so one of the two sees the other.
class event_count {
public:
    event_count() noexcept;
    ~event_count();
    event_count(const event_count&) = delete;
    event_count& operator=(const event_count&) = delete;

    [[nodiscard]] bool anyone() const noexcept { return count_.load() != 0; }

    /// The one who has waited longest. Nothing of this is touched any more once it is woken.
    void wake_one() noexcept;
    /// Those who wait now.
    void wake_all() noexcept;

    /// Waits until `attempt()` is true: it is called when woken, and once more when there is no time left. Throws
    /// `timed_out`, `cancelled`, `scope_expired`: then it was not.
    template <class F> void wait(const char* operation, const deadline& until, F&& attempt) {
        static_assert(noexcept(attempt()), "who waits stands in the list meanwhile");
        wait(operation, until,
             question{[](void* f) { return (*static_cast<std::remove_reference_t<F>*>(f))(); },
                      std::addressof(attempt)});
    }

    // For who waits for several things.
    void enter(parker& last);
    /// False when it has been taken out already, and a wake is on its way to it.
    [[nodiscard]] bool leave(parker& one) noexcept;

private:
    struct question {
        bool (*ask)(void*);
        void* of;
        [[nodiscard]] bool operator()() const { return ask(of); }
    };

    void wait(const char* operation, const deadline& until, question attempt);
    void enter_first(parker& one);

    const unsigned made_after_;  // forks: a forked child's copy may know threads of the parent
    std::atomic<std::size_t> count_{0};
    std::mutex mutex_;
    list<parker> parkers_;
};

}  // namespace coir::detail
