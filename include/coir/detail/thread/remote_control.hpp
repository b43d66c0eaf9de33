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

/// Controls a fiber of another scheduler: stops it, joins it.
class remote_control : public std::enable_shared_from_this<remote_control>, message {
public:
    explicit remote_control(scheduler_ref home) noexcept : message{arrived}, home_{std::move(home)} {}
    remote_control(const remote_control&) = delete;
    remote_control& operator=(const remote_control&) = delete;

    /// Any thread. Stops the fiber, or lets it begin stopped if it has not begun yet. Does nothing if it has ended.
    void request_stop();

    /// Throws `std::system_error` (`resource_deadlock_would_occur`) if the calling fiber is the fiber itself.
    void check_joiner(const char* operation) const;

    /// Called when the handle is destroyed: stops the fiber, waits for its end, and logs an exception that the handle
    /// has not retrieved. Does nothing in a forked process, since the fiber runs in the parent.
    void end(result_core& result) noexcept;

    /// Called when the handle detaches the fiber. Logs the exception if the fiber has already ended with one.
    void detach(result_core& result) noexcept;

    /// Called by the fiber at its end. Returns true if `failure` was handed to the handle, false if the fiber is
    /// detached.
    [[nodiscard]] bool publish(result_core& result, std::exception_ptr& failure) noexcept;

    /// Lives on the stack of the controlled fiber, from its begin to its end.
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
    task* fiber_ = nullptr;  // set while the fiber runs; only its own thread changes it
    bool stop_requested_ = false;
    bool detached_ = false;
    std::shared_ptr<remote_control> on_its_way_;
};

}  // namespace coir::detail
