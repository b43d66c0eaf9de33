#pragma once

#include <atomic>
#include <cstddef>

namespace coir::storm {

/// What goes in and what comes out: when a storm is over, both numbers must be equal.
struct account {
    std::atomic<std::size_t> in{0}, out{0};

    /// `out` is read first: if it equals what is then read of `in`, nothing was under way at that moment.
    [[nodiscard]] bool is_balanced() const noexcept {
        const std::size_t ended = out;
        return ended == in;
    }
};

/// The accounts of one storm, for all its threads.
struct ledger {
    account bytes;   // sent, received
    account values;  // through channels
    account goods;   // made and taken under a mutex, with a condition variable
    account fibers;  // begun, ended
    account posts;   // accepted, run
    account work;    // offloaded: begun, ended
    std::atomic<std::size_t> operations{0};
    std::atomic<std::size_t> violations{0};  // a claim did not hold
};

/// Counts itself in and out, wherever it is moved.
class counted {
public:
    explicit counted(account& of) noexcept : of_{&of} { ++of.in; }
    counted(counted&& other) noexcept : of_{other.of_} { other.of_ = nullptr; }
    counted& operator=(counted&&) = delete;
    ~counted() {
        if (of_ != nullptr) ++of_->out;
    }

private:
    account* of_;
};

}  // namespace coir::storm
