#pragma once

#include <coir/blocking.hpp>

#include <thread>
#include <utility>

namespace coir::test {

/// A thread that the destructor joins. In a fiber, this deliberately blocks all other fibers.
class other_thread {
public:
    template <class F> explicit other_thread(F&& body) : thread_{std::forward<F>(body)} {}
    ~other_thread() {
        const coir::allow_blocking permit{"the test waits for a thread"};
        thread_.join();
    }
    other_thread(const other_thread&) = delete;
    other_thread& operator=(const other_thread&) = delete;

private:
    std::thread thread_;
};

}  // namespace coir::test
