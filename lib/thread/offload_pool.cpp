#include <coir/this_fiber.hpp>
#include <coir/thread/cores.hpp>
#include <coir/thread/offload_pool.hpp>

#include "core/scheduler.hpp"
#include "thread/thread_pool.hpp"

#include <optional>
#include <utility>

namespace coir {

offload_pool::offload_pool(offload_pool_options options)
    : pool_{new detail::thread_pool{std::move(options.name), options.threads > 0 ? options.threads : available_cores(),
                                    options.queue_limit}} {}

offload_pool::~offload_pool() {
    std::optional<detail::detection_paused> joining;  // joins threads without work, which end at once
    if (this_fiber::in_fiber()) joining.emplace(detail::scheduler::current()->running());
    detail::thread_pool::destroy(pool_);
}

unsigned offload_pool::threads() const noexcept { return static_cast<unsigned>(pool_->threads_max()); }

}  // namespace coir
