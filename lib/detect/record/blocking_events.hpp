#pragma once

#include <coir/blocking.hpp>

#include "base/call_stack.hpp"
#include "detect/calls/known_calls.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace coir::detail {

/// Identifies a fiber. A copy, valid after the fiber has ended.
struct fiber_label {
    static constexpr unsigned name_max = 255;

    std::uint64_t id = 0;
    const void* spawn_site = nullptr;
    unsigned name_bytes = 0;
    std::array<char, name_max> bytes;

    [[nodiscard]] std::string_view name() const noexcept { return {bytes.data(), name_bytes}; }
};

/// The name of a function or system call. Holds the characters and no pointer, since another process may read it.
class call_name {
public:
    constexpr call_name() noexcept = default;
    constexpr call_name(const char* text) noexcept : call_name{std::string_view{text}} {}
    constexpr call_name(std::string_view text) noexcept {
        for (std::size_t i = 0; i < text.size() && i + 1 < text_.size(); ++i) text_[i] = text[i];
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return text_.data(); }
    friend constexpr bool operator==(const call_name&, const call_name&) noexcept = default;

private:
    std::array<char, 32> text_{};
};

/// One observation of a fiber that blocked its thread, or could have. Contains code addresses and no pointer that is
/// dereferenced, so it can be stored in a file.
struct blocking_event {
    blocking_kind kind = blocking_kind::blocked;
    blocking_class category = blocking_class::other;
    call_name call;  // empty for a hog
    std::uint64_t count = 1;
    std::chrono::nanoseconds longest{0};
    std::chrono::nanoseconds total{0};
    bool goes_on = false;           // observed before it ended: the times are lower bounds
    bool waits_for_itself = false;  // waits for a lock that a fiber of the same thread holds
    bool is_marked = false;         // by `mark_blocking`, in the innermost function
    level_rule rule = level_rule::by_call;
    std::array<char, 128> test_case{};  // in which the event was new; the table stores it
    fiber_label fiber;
    call_stack stack;

    /// Copies the used part. Most of a `blocking_event`, which is kilobytes long, is unused stack frames.
    void copy_used(const blocking_event& from) noexcept;
};
static_assert(std::is_trivially_copyable_v<blocking_event>);

/// The events of one run, merged by stack. This is the layout of a run in a record file (record_format.hpp). Memory
/// filled with zero bytes is an empty one.
struct blocking_event_memory {
    static constexpr int blocking_events_max = 1024;

    std::int32_t pid;
    std::int32_t tid;
    blocking_engine engine;                // engine in use, which may be less than the requested one
    std::array<char, 512> missing;         // calls that the engine cannot detect, and the reason
    std::atomic<std::uint32_t> finished;   // 1 after an orderly end of the run
    std::atomic<std::int64_t> fibers_ran;  // `scheduler_status::fibers_ran`, as the watchdog saw it last

    std::atomic<std::uint32_t> locked;
    std::atomic<std::uint32_t> blocking_events_size;
    // Events not recorded for lack of space: those of the highest importance (`blocking_event_table`), and the others.
    std::atomic<std::uint64_t> left_out_errors;
    std::atomic<std::uint64_t> left_out_others;

    /// The call in progress, with its stack. Stored before the call, since a process may be killed in it.
    std::atomic<std::uint32_t> in_call;
    std::int64_t call_began;  // CLOCK_MONOTONIC, ns
    blocking_event call;

    /// Begin a page of their own, so that a run without events touches one page.
    alignas(4096) std::array<blocking_event, blocking_events_max> events;
};
static_assert(offsetof(blocking_event_memory, events) == 4096);

/// The events of one run. Usable from any thread and from signal handlers. Events of less importance fill a part of the
/// table only, so that they never take the place of important ones. What finds no space is counted.
class blocking_event_table {
public:
    static constexpr int capacity = blocking_event_memory::blocking_events_max;

    /// `index` is the index of the event in the table; -1 when it was not stored.
    struct result {
        int index = -1;
        bool is_new = false;
    };

    /// Stores into `memory`, which must outlive the table. It is all zero or has the events of an earlier run. If it is
    /// part of a file for which no disk space is left, events are counted as left out.
    explicit blocking_event_table(blocking_event_memory& memory) noexcept;

    result record(const blocking_event& seen) noexcept;

    /// Marks the event at `index` as ended. It was recorded with the duration `recorded`; adds the rest of the duration
    /// `actual`. Does nothing for index -1.
    void lengthen(int index, std::chrono::nanoseconds recorded, std::chrono::nanoseconds actual) noexcept;

    /// Adds the events of another run, what that one has left out, and the time that its fibers ran.
    void merge(const blocking_event_memory& other) noexcept;

    [[nodiscard]] int size() const noexcept;
    /// How many events were not stored; `left_out_errors` are those of the highest importance.
    [[nodiscard]] std::uint64_t left_out() const noexcept;
    [[nodiscard]] std::uint64_t left_out_errors() const noexcept;
    void copy(int index, blocking_event& into) const noexcept;

private:
    class lock;

    result record(const blocking_event& seen, std::string_view test_case) noexcept;
    [[nodiscard]] bool has_space(const blocking_event& seen, std::uint32_t size) const noexcept;
    void leave_out(const blocking_event& seen) noexcept;

    blocking_event_memory& memory_;
    std::array<std::uint64_t, blocking_event_memory::blocking_events_max> keys_;  // of the events, at the same index
};

}  // namespace coir::detail
