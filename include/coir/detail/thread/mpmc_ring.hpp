#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace coir::detail {

enum class ring_answer : std::uint8_t { done, not_now, closed };

/// A bounded lock-free first-in-first-out queue: any thread may push and pop. Each cell has a turn number, which says
/// which operation may use it next. So an operation contends for one counter only, and then has its cell to itself (D.
/// Vyukov, "Bounded MPMC queue"). A position holds the lap in the bits above the index, so a capacity need not be a
/// power of two.
///
/// While a thread is between the begin and the end of an operation, the operations behind it see a full or an empty
/// ring. The turns are sequentially consistent: a thread that counts itself as a waiter and then checks the ring again
/// misses no change.
template <class T> class mpmc_ring {
public:
    /// Throws `std::invalid_argument` for a capacity of 0, and `std::bad_alloc`.
    explicit mpmc_ring(std::size_t capacity)
        : capacity_{checked(capacity)}, step_{std::bit_ceil(capacity)}, cells_{std::make_unique<cell[]>(capacity)} {
        for (std::size_t i = 0; i < capacity; ++i) cells_[i].turn.store(free_for(i), std::memory_order_relaxed);
    }
    ~mpmc_ring() {
        std::optional<T> left;
        while (pop(left) == ring_answer::done) left.reset();
    }
    mpmc_ring(const mpmc_ring&) = delete;
    mpmc_ring& operator=(const mpmc_ring&) = delete;

    /// Moves from `value` only if the answer is `done`.
    ring_answer push(T& value) noexcept {
        std::uint64_t at = tail_.load(std::memory_order_relaxed);
        for (;;) {
            if ((at & closed) != 0) return ring_answer::closed;
            cell& here = cell_of(at);
            const std::uint64_t turn = here.turn.load();
            if (turn == free_for(at)) {
                if (!tail_.compare_exchange_weak(at, after(at), std::memory_order_relaxed)) continue;
                std::construct_at(&here.value, std::move(value));
                here.turn.store(filled_at(at));
                return ring_answer::done;
            }
            if (turn < free_for(at)) {  // the cell still holds the value of the previous lap
                // Checked again with a sequentially consistent load: a thread that has counted itself as a waiter must
                // not miss the close.
                return is_closed() ? ring_answer::closed : ring_answer::not_now;
            }
            at = tail_.load(std::memory_order_relaxed);  // another thread has taken this position
        }
    }

    /// Moves a value out only if the answer is `done`. `closed` means that the ring is also empty, and stays so.
    ring_answer pop(std::optional<T>& into) noexcept {
        std::uint64_t at = head_.load(std::memory_order_relaxed);
        for (;;) {
            cell& here = cell_of(at);
            const std::uint64_t turn = here.turn.load();
            if (turn == filled_at(at)) {
                if (!head_.compare_exchange_weak(at, after(at), std::memory_order_relaxed)) continue;
                into.emplace(std::move(here.value));
                std::destroy_at(&here.value);
                here.turn.store(free_for(at + step_));
                return ring_answer::done;
            }
            if (turn < filled_at(at)) return tail_.load() == (at | closed) ? ring_answer::closed : ring_answer::not_now;
            at = head_.load(std::memory_order_relaxed);
        }
    }

    /// Refuses every later push. A push that has already begun is completed.
    void close() noexcept { tail_.fetch_or(closed); }
    [[nodiscard]] bool is_closed() const noexcept { return (tail_.load() & closed) != 0; }

    /// Whether `push`, or `pop`, would not answer `not_now`.
    [[nodiscard]] bool can_push() const noexcept {
        const std::uint64_t at = tail_.load();
        return (at & closed) != 0 || cell_of(at).turn.load() >= free_for(at);
    }
    [[nodiscard]] bool can_pop() const noexcept {
        const std::uint64_t at = head_.load();
        return cell_of(at).turn.load() >= filled_at(at) || tail_.load() == (at | closed);
    }

    /// The number of values; approximate while other threads push and pop.
    [[nodiscard]] std::size_t size() const noexcept {
        const std::size_t taken = ordinal(head_.load());
        const std::size_t put = ordinal(tail_.load() & ~closed);
        return put < taken ? 0 : std::min(put - taken, capacity_);
    }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    static constexpr std::uint64_t closed = std::uint64_t{1} << 63;
    static constexpr std::size_t line = 64;

    struct cell {
        cell() noexcept {}  // NOLINT: push and pop construct and destroy the value
        ~cell() {}          // NOLINT
        std::atomic<std::uint64_t> turn{0};
        union {
            T value;
        };
    };

    static std::size_t checked(std::size_t capacity) {
        if (capacity == 0) throw std::invalid_argument{"concurrent_channel: the capacity must be at least 1"};
        return capacity;
    }

    static constexpr std::uint64_t free_for(std::uint64_t at) noexcept { return 2 * at; }
    static constexpr std::uint64_t filled_at(std::uint64_t at) noexcept { return 2 * at + 1; }

    [[nodiscard]] cell& cell_of(std::uint64_t at) const noexcept { return cells_[at & (step_ - 1)]; }
    [[nodiscard]] std::uint64_t after(std::uint64_t at) const noexcept {
        const std::uint64_t index = at & (step_ - 1);
        return index + 1 < capacity_ ? at + 1 : at - index + step_;
    }
    [[nodiscard]] std::size_t ordinal(std::uint64_t at) const noexcept {
        return at / step_ * capacity_ + (at & (step_ - 1));
    }

    const std::size_t capacity_;
    const std::size_t step_;  // distance between the positions of two laps: a power of two
    const std::unique_ptr<cell[]> cells_;
    alignas(line) std::atomic<std::uint64_t> tail_{0};  // next position to push to; the top bit is set when closed
    alignas(line) std::atomic<std::uint64_t> head_{0};  // next position to pop from
};

}  // namespace coir::detail
