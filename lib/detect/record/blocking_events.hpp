#pragma once

#include <coir/blocking.hpp>

#include "detect/calls/known_calls.hpp"
#include "detect/engine/capture.hpp"

#include <array>
#include <atomic>
#include <chrono>
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
    level_rule rule = level_rule::by_call;
    fiber_label fiber;
    call_stack stack;

    /// Copies the used part. Most of a `blocking_event`, which is kilobytes long, is unused stack frames.
    void copy_used(const blocking_event& from) noexcept;
};
static_assert(std::is_trivially_copyable_v<blocking_event>);

/// A file mapped into the program. Serves to find the symbol of a code address.
struct loaded_module {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t bias = 0;  // load address minus link-time address (`dlpi_addr`)
    std::array<char, 512> path;
};

/// The events of one run, merged by stack, with all that another process needs to read them. This is the layout of a
/// record file (record_file.hpp). Memory filled with zero bytes is an empty one.
struct blocking_event_memory {
    static constexpr std::array<char, 8> magic_now{'c', 'o', 'i', 'r', 'r', 'e', 'c', '1'};
    static constexpr int blocking_events_max = 512;
    static constexpr int modules_max = 256;

    std::array<char, 8> magic;
    std::uint64_t bytes;  // size of this structure
    std::int32_t pid;
    std::int32_t tid;
    blocking_engine engine;               // engine in use, which may be less than the requested one
    std::array<char, 512> missing;        // calls that the engine cannot detect, and the reason
    std::array<char, 256> run_name;       // `run_options::name`
    std::atomic<std::uint32_t> finished;  // 1 after an orderly end of the run

    std::atomic<std::uint32_t> locked;
    std::atomic<std::uint32_t> modules_size;
    std::atomic<std::uint32_t> blocking_events_size;
    std::atomic<std::uint64_t> left_out;  // events not recorded, for lack of space (`blocking_events_max`)

    /// The call in progress, with its stack. Stored before the call, since a process may be killed in it.
    std::atomic<std::uint32_t> in_call;
    std::int64_t call_began;  // CLOCK_MONOTONIC, ns
    blocking_event call;

    std::array<std::uint64_t, blocking_events_max> keys;
    std::array<loaded_module, modules_max> modules;
    std::array<blocking_event, blocking_events_max> events;  // last member: the file is cut behind the used ones
};

/// The events of one run. Usable from any thread and from signal handlers. A full table counts the events that it does
/// not store.
class blocking_event_table {
public:
    static constexpr int capacity = blocking_event_memory::blocking_events_max;

    /// `index` is the index of the event in the table; -1 when it was not stored.
    struct result {
        int index = -1;
        bool is_new = false;
    };

    /// Stores into `memory`, which must be all zero and outlive the table.
    explicit blocking_event_table(blocking_event_memory& memory) noexcept : memory_{memory} {}

    result record(const blocking_event& seen) noexcept;

    /// Marks the event at `index` as ended. It was recorded with the duration `recorded`; adds the rest of the duration
    /// `actual`. Does nothing for index -1.
    void lengthen(int index, std::chrono::nanoseconds recorded, std::chrono::nanoseconds actual) noexcept;

    [[nodiscard]] int size() const noexcept;
    [[nodiscard]] std::uint64_t left_out() const noexcept;
    void copy(int index, blocking_event& into) const noexcept;

private:
    class lock;

    blocking_event_memory& memory_;
};

}  // namespace coir::detail
