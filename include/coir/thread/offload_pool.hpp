#pragma once

#include <coir/thread/offload.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <utility>

namespace coir {

struct offload_pool_options {
    /// Maximum number of threads; 0: `available_cores()`. Use more for calls that wait, such as those of a database
    /// client.
    unsigned threads = 0;

    /// Maximum number of calls that wait for a thread.
    std::size_t queue_limit = std::numeric_limits<std::size_t>::max();

    /// The name of the threads in debuggers and in `top -H`; the first 15 bytes count.
    std::string name = "coir-offload";
};

/// A pool of threads for `offload`, separate from the pool of the process. Use it so that many slow calls of one kind
/// do not delay other offloaded work, or to limit how many of them run at the same time.
///
/// The pool starts threads as work arrives; they end with the pool. If all threads are busy, work waits, first come,
/// first served. If `queue_limit` calls already wait, the next one throws `std::system_error` with
/// `resource_unavailable_try_again` at once. It does not wait for a slot in the queue: each waiting call already
/// suspends its fiber, and there is no other back-pressure. The limit serves to reject load that would be answered too
/// late. To wait without a limit, set none. To wait for a slot, acquire a permit of a `counting_semaphore` first.
///
/// Work may run a scheduler whose fibers offload to the same pool, to any depth. Such nested work runs before other
/// work and is never refused. If all threads are busy, the pool starts one thread above its maximum for each work item
/// that waits for nested work. Such an extra thread ends when it finds no work. The pool recognises nested work only if
/// it is sent from the pool's own threads, not if it is sent from threads that the work has started.
///
/// Fibers of any thread may use the pool. It must outlive the calls. The destructor blocks its thread until the running
/// work has ended, and checks that no work waits for a thread. In a forked child process the pool has no threads: a
/// call throws `std::system_error` with `operation_not_permitted`. Create a new pool there.
///
/// @code
/// coir::offload_pool database{{.threads = 2, .queue_limit = 100, .name = "database"}};
/// const int rows = database.offload([] {
///     std::this_thread::sleep_for(1ms);  // a client that blocks
///     return 3;
/// });
/// if (rows != 3) throw std::logic_error{"rows"};
/// @endcode
class offload_pool {
public:
    explicit offload_pool(offload_pool_options options = {});
    ~offload_pool();
    offload_pool(const offload_pool&) = delete;
    offload_pool& operator=(const offload_pool&) = delete;

    /// As `coir::offload`, but in a thread of this pool.
    template <class F, class... A>
    requires detail::offloadable<F, A...>
    typename detail::offload_result_of<F, A...>::type offload(F&& f, A&&... arguments) {
        return detail::offload_to(pool_, std::forward<F>(f), std::forward<A>(arguments)...);
    }

    /// The maximum number of threads, without extra threads for nested work.
    [[nodiscard]] unsigned threads() const noexcept;

private:
    detail::thread_pool* const pool_;
};

}  // namespace coir
