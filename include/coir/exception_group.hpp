#pragma once

#include <coir/detail/base/platform.hpp>

#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace coir {

/// The exceptions of several fibers that were waited for together (`task_group::wait`, `gather`). `what()` has the
/// message of each: "2 fibers failed: no route; no space". Copies share the exceptions, and copying does not throw.
///
/// @code
/// coir::task_group group;
/// group.spawn([] { throw std::runtime_error{"no route"}; });
/// group.spawn([] {
///     try {
///         coir::this_fiber::sleep_for(1h);
///     } catch (const coir::cancelled&) { throw std::runtime_error{"no space"}; }
/// });
/// coir::this_fiber::yield();
/// try {
///     group.wait();
/// } catch (const coir::exception_group& thrown) {
///     if (thrown.failures().size() != 2) throw std::logic_error{thrown.what()};
/// }
/// @endcode
class exception_group : public std::runtime_error {
public:
    explicit exception_group(std::vector<std::exception_ptr> failures);

    /// In the order in which the fibers failed.
    [[nodiscard]] std::span<const std::exception_ptr> failures() const noexcept { return *failures_; }

private:
    using list = std::vector<std::exception_ptr>;

    std::shared_ptr<const list> failures_;
};

}  // namespace coir
