#pragma once

#include <coir/detail/base/platform.hpp>

namespace coir {

namespace detail {
class task;
}

/// Holds back the fiber's stop, and the expiry of scopes around it, for the lifetime of this object: for work that must
/// be finished once it has begun. The stop or the expiry is delivered at the first suspension afterwards. To limit the
/// time of the shielded work, use a `timeout_scope` inside. Must be a local variable, like a `timeout_scope`. Throws
/// `not_in_fiber`.
///
/// A destructor that waits opens one first: a stop or an expiry that leaves a destructor ends the program
/// (`std::terminate`; coir names the destructor on stderr). What coir destroys itself is shielded already: the captures,
/// arguments and untaken result of a fiber, and its values of `fiber_local`.
///
/// @code
/// auto fiber = coir::spawn([] {
///     const coir::shield_scope together;
///     coir::this_fiber::yield();  // does not throw, although the fiber is to stop
///     return 42;
/// });
/// coir::this_fiber::yield();
/// fiber.request_stop();
/// if (fiber.get() != 42) throw std::logic_error{"shield"};
/// @endcode
class [[nodiscard]] shield_scope {
public:
    shield_scope();
    ~shield_scope();
    shield_scope(const shield_scope&) = delete;
    shield_scope& operator=(const shield_scope&) = delete;

private:
    detail::task* owner_;
};

}  // namespace coir
