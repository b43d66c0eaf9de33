#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <sys/types.h>
#include <thread>
#include <utility>
#include <vector>

namespace coir::test {

/// What stands around a call that is judged, made before the run and undone after it: nobody judges that.
class stage {
public:
    stage() = default;
    ~stage();
    stage(const stage&) = delete;
    stage& operator=(const stage&) = delete;

    /// Lives until the call has been judged. What was kept last goes first.
    template <class T, class... Arguments> T& keep(Arguments&&... arguments) {
        auto kept = std::make_shared<T>(std::forward<Arguments>(arguments)...);
        finally([kept]() mutable { kept.reset(); });
        return *kept;
    }

    /// Done when the call has been judged, last first.
    void finally(std::function<void()> undo) { undos_.push_back(std::move(undo)); }

    /// Done by another thread when the fiber has slept for 25 ms: it is what the fiber waits for.
    void later(std::function<void()> deed);

    /// As above; `first` is done by the same thread at once.
    void elsewhere(std::function<void()> first, std::function<void()> deed);

    /// The fiber's thread is interrupted by this signal when it has slept for 25 ms.
    void signal_later(int signal);

    /// To be told by the fiber that is about to make the call.
    void begin() noexcept { begun_ = true; }

private:
    void wait_until_fiber_sleeps() const;

    const pid_t stage_thread_ = ::gettid();  // the fiber's too
    std::atomic<bool> begun_ = false;
    std::vector<std::thread> helpers_;
    std::vector<std::function<void()>> undos_;
};

}  // namespace coir::test
