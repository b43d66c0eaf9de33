#pragma once

#include <coir/detail/base/platform.hpp>

#include <coir/detail/base/scope_exit.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coir::detail {

class task;

/// How a task runs and destroys the closure that is stored after its record. Only `spawn` knows the type of the
/// closure.
struct closure_ops {
    void (*run)(void* closure);               // runs in the fiber; an exception is the result of the fiber
    void (*destroy)(void* closure) noexcept;  // also destroys the result; for a closure that has run, or will never run
};

/// Allocates a task record with room for a closure. Throws `not_in_fiber`, `std::bad_alloc`.
task& make_task(std::size_t closure_bytes, std::size_t alignment);
void* closure_of(task& made) noexcept;
void discard_task(task& made) noexcept;

/// Makes the task ready. `site` is where the fiber counts as spawned; nullptr: the return address of this call, which
/// comes from code that is inlined into the user's function.
[[gnu::noinline]] void start_task(task& made, const closure_ops& ops, std::string_view name, std::size_t stack_bytes,
                                  const void* site = nullptr);

/// Shields the running fiber, as `shield_scope` does, while coir destroys what the fiber owned: destructors may wait.
class shielded_end {
public:
    shielded_end() noexcept;
    ~shielded_end();
    shielded_end(const shielded_end&) = delete;
    shielded_end& operator=(const shielded_end&) = delete;
};

/// The result of a fiber. The first base of its closure, so that a handle, which knows only the result type, finds it.
template <class R> struct result_slot {
    std::optional<R> value;
    R take() { return std::move(*value); }
};

template <class R> struct result_slot<R&> {
    R* value = nullptr;
    R& take() { return *value; }
};

template <> struct result_slot<void> {
    void take() {}
};

template <class F, class... A> using spawn_result = std::invoke_result_t<std::decay_t<F>, std::decay_t<A>...>;

/// What a fiber runs: a callable and its arguments, decay-copied as std::thread does.
template <class F, class... A> struct closure : result_slot<spawn_result<F, A...>> {
    using result = spawn_result<F, A...>;

    explicit closure(F&& f, A&&... arguments)
        : work{std::in_place, std::forward<F>(f), std::forward<A>(arguments)...} {}

    static void run(void* self) {
        closure& here = *static_cast<closure*>(self);
        // Callable and arguments are destroyed in the fiber, before the joiner is woken.
        const scope_exit at_end{[&here]() noexcept { drop_parts(here.work); }};
        auto call = [](auto&&... parts) -> result { return std::invoke(std::forward<decltype(parts)>(parts)...); };
        if constexpr (std::is_void_v<result>) {
            std::apply(call, std::move(*here.work));
        } else if constexpr (std::is_reference_v<result>) {
            here.value = &std::apply(call, std::move(*here.work));
        } else {
            here.value.emplace(std::apply(call, std::move(*here.work)));
        }
    }

    static void destroy(void* self) noexcept { static_cast<closure*>(self)->~closure(); }

    static constexpr closure_ops ops{run, destroy};

    using parts = std::tuple<std::decay_t<F>, std::decay_t<A>...>;
    std::optional<parts> work;

private:
    static void drop_parts(std::optional<parts>& all) noexcept {
        if constexpr (!std::is_trivially_destructible_v<parts>) {
            const shielded_end shield;
            all.reset();
        }
    }
};

template <class F, class... A>
[[gnu::always_inline]] inline task& spawn_task(std::string_view name, std::size_t stack_bytes, F&& f,
                                               A&&... arguments) {
    using made_closure = closure<F, A...>;
    task& made = make_task(sizeof(made_closure), alignof(made_closure));
    try {
        ::new (closure_of(made)) made_closure{std::forward<F>(f), std::forward<A>(arguments)...};
    } catch (...) {
        discard_task(made);
        throw;
    }
    start_task(made, made_closure::ops, name, stack_bytes);
    return made;
}

}  // namespace coir::detail
