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

/// A bounded queue that any threads put into and take from without a lock, first in first out. Each cell has a turn,
/// which says whose it is next, so that an operation contends for one counter and then has its cell to itself (D.
/// Vyukov, "Bounded MPMC queue"). Positions count laps above the bits of the index, so that every capacity will do.
///
/// An operation that a thread has begun and not yet ended holds up those behind it: to them the ring is full or empty.
/// The turns are sequentially consistent, for those who count themselves as waiting and then look again.
template <class T> class mpmc_ring {
public:
    /// Throws `std::invalid_argument` for no capacity, `std::bad_alloc`.
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

    /// Moves the value in when it is `done`, and only then.
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
            if (turn < free_for(at)) {  // it still has the value of a lap ago
                // Looked at once more, in the one order of all: who has counted himself as waiting is told of the end.
                return is_closed() ? ring_answer::closed : ring_answer::not_now;
            }
            at = tail_.load(std::memory_order_relaxed);  // another one was faster
        }
    }

    /// Moves a value out when it is `done`. Closed: and nothing is left, nor will be.
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

    /// From now on nothing is put in; who has begun to is let through.
    void close() noexcept { tail_.fetch_or(closed); }
    [[nodiscard]] bool is_closed() const noexcept { return (tail_.load() & closed) != 0; }

    /// Whether `push` would not answer `not_now`; the same of `pop`.
    [[nodiscard]] bool can_push() const noexcept {
        const std::uint64_t at = tail_.load();
        return (at & closed) != 0 || cell_of(at).turn.load() >= free_for(at);
    }
    [[nodiscard]] bool can_pop() const noexcept {
        const std::uint64_t at = head_.load();
        return cell_of(at).turn.load() >= filled_at(at) || tail_.load() == (at | closed);
    }

    /// About how many values it has, where others put in and take out.
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
        cell() noexcept {}  // NOLINT: the value comes and goes
        ~cell() {}          // NOLINT
        std::atomic<std::uint64_t> turn{0};
        union {
            T value;
        };
    };

    static std::size_t checked(std::size_t capacity) {
        if (capacity == 0) throw std::invalid_argument{"concurrent_channel: a capacity of 0"};
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
    const std::size_t step_;  // from lap to lap: a power of two
    const std::unique_ptr<cell[]> cells_;
    alignas(line) std::atomic<std::uint64_t> tail_{0};  // the next to be put in, and whether it is closed
    alignas(line) std::atomic<std::uint64_t> head_{0};  // the next to be taken out
};

}  // namespace coir::detail
