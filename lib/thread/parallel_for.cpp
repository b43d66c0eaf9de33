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

constexpr std::uint64_t pieces_each = 64;  // what is left of the longest one keeps the others waiting at the end

/// Work that several threads take pieces of.
class shared_work {
public:
    shared_work(const piecework& work, std::uint64_t pieces) : work_{work}, pieces_{pieces} {}

    /// Until none is left, or this thread or all are to stop.
    void take_pieces(const std::stop_token& stop) noexcept {
        while (!stop.stop_requested() && !over_.load(std::memory_order_relaxed)) {
            const std::uint64_t piece = next_.fetch_add(1, std::memory_order_relaxed);
            if (piece >= pieces_) return;
            try {
                work_.run(work_.body, begin_of(piece), begin_of(piece + 1));
            } catch (...) {
                if (!failed_.exchange(true)) failure_ = std::current_exception();
                over_ = true;
            }
        }
    }

    /// As above, for the fiber that waits for it all: a stop of it is one of all, at once and not when this thread is
    /// done with its piece.
    void lead(const std::stop_token& stop) noexcept {
        const std::stop_callback all_stop{stop, [this] { over_ = true; }};
        take_pieces(stop);
    }

    /// The rest is for when no thread takes any more.
    [[nodiscard]] bool all_taken() const noexcept { return next_ >= pieces_; }

    void rethrow_failure() const {
        if (failure_ != nullptr) std::rethrow_exception(failure_);
    }

private:
    /// The first few are longer by one than the others.
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

/// Not asked again each time: that takes as long as many a loop.
std::uint64_t threads_of(const offload_pool* pool) {
    static const unsigned cores = available_cores();
    return pool != nullptr ? pool->threads() : cores;
}

template <class F> void offload_on(offload_pool* pool, F& f) { pool != nullptr ? pool->offload(f) : offload(f); }

/// One more thread, if the pool takes more.
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
    offload_on(pool, lead);  // goes first, as the others begin when this fiber is suspended: it is not refused for them
    others.wait();
    shared.rethrow_failure();
    // A stop that came while the work ran has reached it by its token, and is thrown here.
    if (!shared.all_taken()) scheduler::enter("parallel_for");
}

}  // namespace coir::detail
