#pragma once

#include <coir/detail/core/spawn.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

class thread_pool;

/// Work for another thread. The closure is on the stack of the fiber that waits for the work.
struct offloaded_work {
    void (*run)(void* closure, const std::stop_token& stop);
    void* closure;
    std::stop_source stop;
};

/// Runs the work in a thread of the pool (null: the pool of the process), and waits. Throws what the work throws.
void run_offloaded(thread_pool* pool, offloaded_work& work);

template <class F, class... A> inline constexpr bool takes_stop_token = std::invocable<F, std::stop_token, A...>;

template <class F, class... A> struct offload_result_of : std::invoke_result<F, A...> {};

template <class F, class... A>
requires takes_stop_token<F, A...>
struct offload_result_of<F, A...> : std::invoke_result<F, std::stop_token, A...> {
};

/// A function that may be offloaded, with or without a `std::stop_token` as its first parameter.
template <class F, class... A>
concept offloadable = std::invocable<F, A...> || takes_stop_token<F, A...>;

template <class F, class... A>
typename offload_result_of<F, A...>::type offload_to(thread_pool* pool, F&& f, A&&... arguments) {
    using result = typename offload_result_of<F, A...>::type;
    constexpr bool wants_stop = takes_stop_token<F, A...>;
    result_slot<result> slot;
    auto call = [&]([[maybe_unused]] const std::stop_token& stop) -> result {
        if constexpr (wants_stop)
            return std::invoke(std::forward<F>(f), stop, std::forward<A>(arguments)...);
        else
            return std::invoke(std::forward<F>(f), std::forward<A>(arguments)...);
    };
    auto closure = [&](const std::stop_token& stop) {
        if constexpr (std::is_void_v<result>)
            call(stop);
        else if constexpr (std::is_reference_v<result>)
            slot.value = std::addressof(call(stop));
        else
            slot.value.emplace(call(stop));
    };
    offloaded_work work{
        .run = [](void* self, const std::stop_token& stop) { (*static_cast<decltype(closure)*>(self))(stop); },
        .closure = &closure,
        .stop = wants_stop ? std::stop_source{} : std::stop_source{std::nostopstate},
    };
    run_offloaded(pool, work);
    return slot.take();
}

}  // namespace detail

/// Calls `f(arguments...)` in a thread of a pool, while this fiber is suspended and others run. Use it for code that
/// computes or blocks. Returns the result of `f` or throws its exception. The function and its arguments are used in
/// place, not copied, as in a direct call. They run outside any fiber, with signals blocked, at the same time as the
/// fibers of this thread.
///
/// The pool belongs to the process. It has `available_cores()` threads, but at least 4. If all threads are busy, work
/// waits, first come, first served. coir's own calls that may wait for a disk or a name server use other threads. For a
/// pool of your own, use `offload_pool`; its rules for nested work apply here as well.
///
/// Before the work has begun, a stop or an expiry withdraws it and throws `cancelled` or `scope_expired`. Once the work
/// has begun, it is waited for in any case. If `f` takes a `std::stop_token` as its first parameter (as for
/// `std::jthread`), the stop or expiry requests a stop with that token. The result is returned, and the stop is
/// delivered at the next suspension. For a time limit, use `with_timeout`.
///
/// Throws `not_in_fiber`, and `std::system_error` if no thread can be started at all.
///
/// @code
/// const int answer = coir::offload([](int a, int b) {
///     std::this_thread::sleep_for(1ms);  // only the thread of the pool sleeps
///     return a * b;
/// }, 6, 7);
/// if (answer != 42) throw std::logic_error{"offload"};
/// @endcode
///
/// A `std::future` can be waited for in the same way. Its result should come from elsewhere, such as a library with its
/// own threads, because the wait occupies a thread of the pool.
///
/// @code
/// std::future<int> answer = std::async(std::launch::async, [] { return 42; });
/// if (coir::offload([&] { return answer.get(); }) != 42) throw std::logic_error{"future"};
/// @endcode
template <class F, class... A>
requires detail::offloadable<F, A...>
typename detail::offload_result_of<F, A...>::type offload(F&& f, A&&... arguments) {
    return detail::offload_to(nullptr, std::forward<F>(f), std::forward<A>(arguments)...);
}

}  // namespace coir
