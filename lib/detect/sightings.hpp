#pragma once

#include <array>
#include <chrono>
#include <coir/blocking.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "detect/capture.hpp"

namespace coir::detail {

/// Which fiber, copied: it may be gone when someone asks.
struct fiber_label {
    static constexpr unsigned name_max = 255;

    std::uint64_t id = 0;
    const void* spawn_site = nullptr;
    unsigned name_bytes = 0;
    std::array<char, name_max> bytes;

    [[nodiscard]] std::string_view name() const noexcept { return {bytes.data(), name_bytes}; }
};

/// A fiber was seen to hold its thread: addresses only, so that it can be stored anywhere.
struct sighting {
    blocking_kind kind = blocking_kind::blocked;
    blocking_class category = blocking_class::other;
    const char* call = "";  // a literal
    std::uint64_t count = 1;
    std::chrono::nanoseconds longest{0};
    std::chrono::nanoseconds total{0};
    bool goes_on = false;           // seen while it lasted
    bool waits_for_itself = false;  // for a lock that a fiber of the same thread holds
    fiber_label fiber;
    call_stack stack;
};

/// The sightings of one run, merged by stack. Memory is taken once; a full table counts what it does not take.
/// Any thread.
class sighting_table {
public:
    static constexpr int capacity = 256;

    /// `place` is that of the sighting in the table, -1 when it is full.
    struct result {
        int place = -1;
        bool is_new = false;
    };

    sighting_table();

    result record(const sighting& seen) noexcept;

    /// What was recorded at `place` has lasted longer than was said.
    void lengthen(int place, std::chrono::nanoseconds said, std::chrono::nanoseconds really) noexcept;

    [[nodiscard]] int size() const noexcept;
    [[nodiscard]] std::uint64_t left_out() const noexcept;
    void copy(int place, sighting& into) const noexcept;

private:
    struct freed {
        void operator()(void* memory) const noexcept;
    };

    mutable std::mutex mutex_;
    std::unique_ptr<sighting[], freed> seen_;
    std::array<std::uint64_t, capacity> keys_;
    int size_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace coir::detail
