#include <coir/detail/base/current_failure.hpp>
#include <coir/task_group.hpp>
#include <coir/thread/cores.hpp>
#include <coir/thread/offload.hpp>
#include <coir/thread/parallel_for.hpp>

#include "core/scheduler.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <stop_token>
#include <system_error>

namespace coir::detail {

namespace {

// Pieces for each thread. At the end, the threads wait for the last piece, so pieces must be short.
constexpr std::uint64_t pieces_each = 64;

/// Work that is divided into pieces, which several threads take and run.
class shared_work {
public:
    shared_work(const piecework& work, std::uint64_t pieces) : work_{work}, pieces_{pieces} {}

    /// Runs pieces until none is left, a stop is requested through `stop`, a piece has failed, or the leading thread
    /// was requested to stop.
    void take_pieces(const std::stop_token& stop) noexcept {
        while (!stop.stop_requested() && !over_.load(std::memory_order_relaxed)) {
            const std::uint64_t piece = next_.fetch_add(1, std::memory_order_relaxed);
            if (piece >= pieces_) return;
            try {
                work_.run(work_.body, begin_of(piece), begin_of(piece + 1));
            } catch (...) {
                if (!failed_.exchange(true)) failure_ = current_failure();
                over_ = true;
            }
        }
    }

    /// Like `take_pieces`, on behalf of the fiber that waits for all threads: a stop of that fiber stops the other
    /// threads immediately, not only after this thread has finished its piece.
    void lead(const std::stop_token& stop) noexcept {
        const std::stop_callback all_stop{stop, [this] { over_ = true; }};
        take_pieces(stop);
    }

    /// Whether all pieces were taken. May be called only when no thread runs pieces; so may `rethrow_failure`.
    [[nodiscard]] bool all_taken() const noexcept { return next_ >= pieces_; }

    void rethrow_failure() const {
        if (failure_ != nullptr) std::rethrow_exception(failure_);
    }

private:
    /// If the division leaves a remainder, the first pieces are longer by one than the others.
    [[nodiscard]] std::uint64_t begin_of(std::uint64_t piece) const noexcept {
        return piece * (work_.count / pieces_) + std::min(piece, work_.count % pieces_);
    }

    const piecework& work_;
    const std::uint64_t pieces_;
    std::atomic<std::uint64_t> next_{0};
    std::atomic<bool> over_{false};
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;
};

/// Reads the number of cores only once: reading it takes as long as many a loop.
std::uint64_t threads_of(const offload_pool* pool) {
    static const unsigned cores = available_cores();
    return pool != nullptr ? pool->threads() : cores;
}

template <class F> void offload_on(offload_pool* pool, F& f) { pool != nullptr ? pool->offload(f) : offload(f); }

/// Runs `f` on one more thread. Does nothing if the pool has no thread and no room in its queue for it.
template <class F> void help_with(offload_pool* pool, F& f) {
    try {
        offload_on(pool, f);
    } catch (const std::system_error& refused) {
        if (refused.code() != std::errc::resource_unavailable_try_again) throw;
    }
}

}  // namespace

void run_pieces(offload_pool* pool, const piecework& work) {
    scheduler::enter("parallel_for");
    if (work.count == 0) return;
    const std::uint64_t threads = std::min(threads_of(pool), work.count);
    shared_work shared{work, std::min(threads * pieces_each, work.count)};
    const auto help = [&](const std::stop_token& stop) { shared.take_pieces(stop); };
    const auto lead = [&](const std::stop_token& stop) { shared.lead(stop); };
    task_group others;
    for (std::uint64_t i = 1; i < threads; ++i) others.spawn([&] { help_with(pool, help); });
    // Submitted before the others, which begin only when this fiber is suspended: they cannot fill the queue before.
    offload_on(pool, lead);
    others.wait();
    shared.rethrow_failure();
    // A stop that ended the work early, through its token, is thrown here.
    if (!shared.all_taken()) scheduler::enter("parallel_for");
}

}  // namespace coir::detail
