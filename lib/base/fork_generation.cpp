#include <coir/detail/base/fork_generation.hpp>

#include <atomic>
#include <pthread.h>

namespace coir::detail {

namespace {

constinit std::atomic<unsigned> count{0};

}  // namespace

unsigned fork_count() noexcept {
    [[maybe_unused]] static const int registered =
        ::pthread_atfork(nullptr, nullptr, [] { count.fetch_add(1, std::memory_order_relaxed); });
    return count.load(std::memory_order_relaxed);
}

}  // namespace coir::detail
