#pragma once

#include <coir/detail/base/platform.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
/// A number for a new variable. An address would not do: it is used again.
[[nodiscard]] std::uint64_t number_of_new_local() noexcept;
/// The running fiber's value of a variable; nullptr if it has none yet. Throws `not_in_fiber`.
[[nodiscard]] void* find_local(std::uint64_t variable);
void add_local(std::uint64_t variable, void* value, void (*destroy)(void*) noexcept);
}  // namespace detail

/// A variable with one value per fiber. The value is created when the fiber first uses the variable, and destroyed when
/// the fiber ends; the last created value is destroyed first. The variable itself is usually static. If it is destroyed
/// before a fiber that has used it, the value stays until the fiber ends. Throws `not_in_fiber` outside a fiber. (A
/// `thread_local` is shared by all fibers of the thread.)
///
/// A value's destructor may wait: it is shielded from the fiber's stop.
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
        if (void* const existing = detail::find_local(number_)) return *static_cast<T*>(existing);
        T* const created = make_();
        detail::add_local(number_, created, [](void* value) noexcept { delete static_cast<T*>(value); });
        return *created;
    }

    T& operator*() const { return get(); }
    T* operator->() const { return &get(); }

private:
    const std::uint64_t number_ = detail::number_of_new_local();
    std::function<T*()> make_;
};

}  // namespace coir
