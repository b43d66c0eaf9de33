#pragma once

#include <coir/thread/offload.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <utility>

namespace coir {

struct offload_pool_options {
    /// How many at most; 0 for `available_cores()`. More of them for what waits, as calls of a database's client do.
    unsigned threads = 0;

    /// How many calls may wait for a thread.
    std::size_t queue_limit = std::numeric_limits<std::size_t>::max();

    /// Of the threads, in debuggers and `top -H`: the first 15 bytes of it.
    std::string name = "coir-offload";
};

/// Threads of its own for `offload`, beside those of the process: so that a thousand slow calls of one kind do not keep
/// files, names and other work waiting, or to bound how many of them run at once.
///
/// The threads are made as work comes, and end with the pool. Work that finds all of them busy waits its turn, first
/// come first served. When `queue_limit` calls wait already, the next one throws `std::system_error` with
/// `resource_unavailable_try_again` at once. It does not wait for a place in the queue: each waiting call has its fiber
/// suspended anyway, which is all the back-pressure there is. The limit is for shedding load that would only be
/// answered too late. To wait without a limit, set none; to wait for a place, take a permit of a `counting_semaphore`
/// first.
///
/// Work may run a scheduler whose fibers offload to the same pool, to any depth: their work goes before other work, is
/// not refused, and where all threads are busy it gets one beyond the bound, for each work that waits in this way. Such
/// threads end when they find nothing to do. This is known of work that is sent from the pool's own threads, not from
/// threads that the work has made.
///
/// Any fiber of any thread may use it. It must outlive the calls. The destructor holds its thread up until what runs
/// has come to its end; that work still waits for a thread is checked. In a forked child the pool has no threads: a
/// call throws `std::system_error` with `operation_not_permitted`. Make one there.
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

    /// As `coir::offload`, in a thread of this pool.
    template <class F, class... A>
    requires detail::offloadable<F, A...>
    typename detail::offload_result_of<F, A...>::type offload(F&& f, A&&... arguments) {
        return detail::offload_to(pool_, std::forward<F>(f), std::forward<A>(arguments)...);
    }

    /// How many there are at most, but for nested work.
    [[nodiscard]] unsigned threads() const noexcept;

private:
    detail::thread_pool* const pool_;
};

}  // namespace coir
