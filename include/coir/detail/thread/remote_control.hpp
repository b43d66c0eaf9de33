#pragma once

#include <coir/detail/core/message.hpp>
#include <coir/detail/thread/result_core.hpp>
#include <coir/thread/scheduler_ref.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <utility>

namespace coir::detail {

class task;

/// Reaches a fiber of another scheduler, to stop it.
class remote_control : public std::enable_shared_from_this<remote_control>, message {
public:
    explicit remote_control(scheduler_ref home) noexcept : message{arrived}, home_{std::move(home)} {}
    remote_control(const remote_control&) = delete;
    remote_control& operator=(const remote_control&) = delete;

    /// Any thread. Has the fiber stopped, now or when it begins; nothing when it has ended.
    void request_stop();

    /// Throws `std::system_error` (`resource_deadlock_would_occur`) in the fiber itself.
    void check_joiner(const char* operation) const;

    /// The handle's end: stops the fiber, waits for its end, and logs a failure that nobody has asked for. Nothing in a
    /// process that was forked: the fiber runs in its parent.
    void end(result_core& result) noexcept;

    /// The handle lets the fiber go on alone. A failure that is there by then is logged.
    void detach(result_core& result) noexcept;

    /// The fiber: true when the failure is for the handle, and was handed over. False when it was detached.
    [[nodiscard]] bool publish(result_core& result, std::exception_ptr& failure) noexcept;

    /// The fiber that the control is for has begun, and ends at the end of the scope.
    class presence {
    public:
        explicit presence(remote_control& held);
        ~presence();
        presence(const presence&) = delete;
        presence& operator=(const presence&) = delete;

    private:
        remote_control& held_;
    };

private:
    [[nodiscard]] bool is_this_fiber() const noexcept;
    static void arrived(message& self) noexcept;
    void stop_in_a_fiber() noexcept;

    const scheduler_ref home_;
    mutable std::mutex mutex_;
    task* fiber_ = nullptr;  // while it runs; changed in its own thread alone
    bool stop_requested_ = false;
    bool detached_ = false;
    std::shared_ptr<remote_control> on_its_way_;
};

}  // namespace coir::detail
