#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <sys/types.h>
#include <thread>
#include <utility>
#include <vector>

namespace coir::test {

/// The environment of a call, prepared before the run and undone after it, so that the detector does not examine it.
class stage {
public:
    stage() = default;
    ~stage();
    stage(const stage&) = delete;
    stage& operator=(const stage&) = delete;

    /// Keeps an object until the verdict. Objects are destroyed in reverse order.
    template <class T, class... Arguments> T& keep(Arguments&&... arguments) {
        auto kept = std::make_shared<T>(std::forward<Arguments>(arguments)...);
        finally([kept]() mutable { kept.reset(); });
        return *kept;
    }

    /// Runs `undo` after the verdict, in reverse order.
    void finally(std::function<void()> undo) { undos_.push_back(std::move(undo)); }

    /// Runs `deed` in another thread after the fiber has slept for 25 ms: the fiber waits for it.
    void later(std::function<void()> deed);

    /// The same; that thread runs `first` at once.
    void elsewhere(std::function<void()> first, std::function<void()> deed);

    /// Interrupts the fiber's thread with this signal after it has slept for 25 ms.
    void signal_later(int signal);

    /// Called by the fiber right before it makes the call.
    void begin() noexcept { begun_ = true; }

private:
    void wait_until_fiber_sleeps() const;

    const pid_t stage_thread_ = ::gettid();  // the fiber runs on the same thread
    std::atomic<bool> begun_ = false;
    std::vector<std::thread> helpers_;
    std::vector<std::function<void()>> undos_;
};

}  // namespace coir::test
