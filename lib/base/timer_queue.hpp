#pragma once

#include <coir/detail/base/list.hpp>
#include <coir/detail/base/timer_node.hpp>

#include <array>
#include <bit>
#include <cstdint>

namespace coir::detail {

/// Timers ordered by time; timers with equal times keep the order of insertion. A pure container: it reads no clock,
/// owns no node and never allocates.
///
/// A radix heap (Ahuja, Mehlhorn, Orlin, Tarjan, "Faster algorithms for the shortest path problem", JACM 37(2), 1990)
/// with digits of six bits. Time only moves forward. The level of a node is the highest digit in which its time differs
/// from `last_`, the time last reached, so the lowest slot in use holds the earliest nodes. When time enters a slot,
/// its nodes move to lower levels: at most eleven times for a node, four times for a typical timer of one second. push
/// and remove are O(1). A timer wheel with fixed ticks would cost as much and lose the order within a tick.
class timer_queue {
public:
    timer_queue() = default;

    [[nodiscard]] bool empty() const noexcept { return levels_taken_ == 0; }

    void push(timer_node& node) noexcept { insert(node); }

    void remove(timer_node& node) noexcept {
        const bool last_of_slot = node.next == node.prev;  // both are the slot's head
        node.unlink();
        if (last_of_slot) mark_empty(node.slot);
    }

    /// Removes and returns the first node whose time is at or before `now`; nullptr if there is none.
    timer_node* pop(std::int64_t now) noexcept {
        const std::uint64_t until = now < 0 ? 0 : static_cast<std::uint64_t>(now);
        while (levels_taken_ != 0) {
            const unsigned slot = first_slot();
            timer_node* const first = slots_[slot].front();
            if (slot < radix || slots_[slot].has_one()) {  // a slot of level 0 has nodes of one time only
                if (key(*first) > until) return nullptr;
                last_ = key(*first);
                remove(*first);
                return first;
            }
            const std::uint64_t start = start_of(slot);
            if (start > until) return nullptr;
            spread(slot, start);
        }
        return nullptr;
    }

    /// The time for the next call of `pop`: never later than the first node's time. It may be earlier if the first slot
    /// has many nodes; that `pop` then spreads the slot. Requires that the queue is not empty.
    [[nodiscard]] std::int64_t next_look() const noexcept {
        const unsigned slot = first_slot();
        const timer_node* const first = slots_[slot].front();
        std::uint64_t earliest = key(*first);
        if (slot < radix) return static_cast<std::int64_t>(earliest);
        int seen = 0;
        for (const list_hook* at = first; at != head_of(*first); at = at->next) {
            if (++seen > scan_max) return static_cast<std::int64_t>(start_of(slot));
            const std::uint64_t other = key(*static_cast<const timer_node*>(at));
            if (other < earliest) earliest = other;
        }
        return static_cast<std::int64_t>(earliest);
    }

private:
    static constexpr unsigned digit_bits = 6;
    static constexpr unsigned radix = 1U << digit_bits;
    static constexpr unsigned levels = (64 + digit_bits - 1) / digit_bits;
    static constexpr int scan_max = 16;  // scanning more nodes costs more than one wakeup too many

    /// A time before `last_` counts as `last_`: such a node is due next, after the nodes that are already due.
    [[nodiscard]] std::uint64_t key(const timer_node& node) const noexcept {
        const auto at = node.at < 0 ? 0 : static_cast<std::uint64_t>(node.at);
        return at < last_ ? last_ : at;
    }

    void insert(timer_node& node) noexcept {
        const std::uint64_t at = key(node);
        const std::uint64_t differs = at ^ last_;
        const unsigned level = differs == 0 ? 0 : (static_cast<unsigned>(std::bit_width(differs)) - 1) / digit_bits;
        const unsigned digit = static_cast<unsigned>(at >> (level * digit_bits)) % radix;
        node.slot = static_cast<std::uint16_t>(level * radix + digit);
        slots_[node.slot].push_back(node);
        taken_[level] |= std::uint64_t{1} << digit;
        levels_taken_ |= 1U << level;
    }

    void mark_empty(unsigned slot) noexcept {
        const unsigned level = slot / radix;
        taken_[level] &= ~(std::uint64_t{1} << (slot % radix));
        if (taken_[level] == 0) levels_taken_ &= ~(1U << level);
    }

    [[nodiscard]] unsigned first_slot() const noexcept {
        const auto level = static_cast<unsigned>(std::countr_zero(levels_taken_));
        return level * radix + static_cast<unsigned>(std::countr_zero(taken_[level]));
    }

    /// The earliest time that belongs into the slot: `last_` with the digit of the slot and zeros in the lower digits.
    [[nodiscard]] std::uint64_t start_of(unsigned slot) const noexcept {
        const unsigned shift = slot / radix * digit_bits;
        const std::uint64_t above =
            shift + digit_bits >= 64 ? 0 : last_ >> (shift + digit_bits) << (shift + digit_bits);
        return above | std::uint64_t{slot % radix} << shift;
    }

    void spread(unsigned slot, std::uint64_t start) noexcept {
        last_ = start;
        mark_empty(slot);
        while (timer_node* node = slots_[slot].pop_front()) insert(*node);
    }

    /// The head of the list in which `node` is first.
    static const list_hook* head_of(const timer_node& node) noexcept { return node.prev; }

    std::uint64_t last_ = 0;
    std::uint32_t levels_taken_ = 0;
    std::array<std::uint64_t, levels> taken_{};
    std::array<list<timer_node>, std::size_t{radix} * levels> slots_;
};

}  // namespace coir::detail
