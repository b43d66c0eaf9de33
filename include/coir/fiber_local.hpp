#pragma once

#include <coir/detail/base/platform.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
/// The running fiber's value of a variable, nullptr while it has none. Throws `not_in_fiber`.
[[nodiscard]] void* find_local(const void* variable);
void add_local(const void* variable, void* value, void (*destroy)(void*) noexcept);
}  // namespace detail

/// A variable with one value per fiber, made when the fiber first touches it and destroyed when it ends, the last made
/// first. The variable itself is static as a rule: it must outlive every fiber that touches it. Outside a fiber,
/// `not_in_fiber`. (A `thread_local` is shared by all fibers of the thread.)
///
/// @code
/// static coir::fiber_local<int> depth{1};
/// *depth += 1;
/// coir::spawn([] { if (*depth != 1) throw std::logic_error{"shared"}; }).get();
/// if (*depth != 2) throw std::logic_error{"lost"};
/// @endcode
template <class T> class fiber_local {
public:
    /// Each fiber begins with a value-initialised `T`.
    fiber_local() requires std::default_initializable<T> : make_{[] { return new T{}; }} {}

    /// Each fiber begins with a copy of `initial`.
    explicit fiber_local(T initial) requires std::copy_constructible<T>
        : make_{[initial = std::move(initial)] { return new T(initial); }} {}

    fiber_local(const fiber_local&) = delete;
    fiber_local& operator=(const fiber_local&) = delete;

    [[nodiscard]] T& get() const {
        if (void* const known = detail::find_local(this)) return *static_cast<T*>(known);
        T* const made = make_();
        detail::add_local(this, made, [](void* value) noexcept { delete static_cast<T*>(value); });
        return *made;
    }

    T& operator*() const { return get(); }
    T* operator->() const { return &get(); }

private:
    std::function<T*()> make_;
};

}  // namespace coir
