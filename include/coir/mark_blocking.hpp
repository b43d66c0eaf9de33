#pragma once

#include <coir/detail/base/platform.hpp>

#include <chrono>
#include <cstdint>

namespace coir {

namespace detail {
class monitor;
}

/// Marks a function of the program as blocking, from here to the end of the scope. If a fiber without `allow_blocking`
/// calls the function, that is a finding at the line of the call: its call is `name`, its class `other`, and its level
/// error, whether the function has slept or not. The calls inside the function are not reported. `name` is copied, up to
/// 31 characters. Has no effect outside a fiber, in a marked function, or if the fiber suspends in the scope.
///
/// @code
/// const auto legacy_query = [](const char* statement) {
///     const coir::mark_blocking blocks{"legacy_query"};
///     return std::string{statement}.size();  // in place of a call that waits for a server
/// };
/// coir::allow_blocking permit{"nothing else runs yet"};
/// legacy_query("select 1");
/// @endcode
class [[nodiscard]] mark_blocking {
public:
    explicit mark_blocking(const char* name) noexcept;
    ~mark_blocking();
    mark_blocking(const mark_blocking&) = delete;
    mark_blocking& operator=(const mark_blocking&) = delete;

private:
    detail::monitor* watcher_;  // nullptr: no effect
    std::uint64_t slice_ = 0;
    long sleeps_before_ = 0;
    std::chrono::steady_clock::time_point began_{};
};

}  // namespace coir
