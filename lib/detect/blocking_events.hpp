#pragma once

#include <coir/blocking.hpp>

#include "detect/capture.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>

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

/// The name of a function or system call, by value: another process may read it.
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

/// A fiber was seen to hold its thread. Addresses only and no pointer to follow, so that it can be stored anywhere.
struct blocking_event {
    blocking_kind kind = blocking_kind::blocked;
    blocking_class category = blocking_class::other;
    call_name call;  // empty for a hog
    std::uint64_t count = 1;
    std::chrono::nanoseconds longest{0};
    std::chrono::nanoseconds total{0};
    bool goes_on = false;           // seen while it lasted
    bool waits_for_itself = false;  // for a lock that a fiber of the same thread holds
    fiber_label fiber;
    call_stack stack;

    /// Copies the members that are in use: a blocking_event is kilobytes, and mostly empty.
    void copy_used(const blocking_event& from) noexcept;
};
static_assert(std::is_trivially_copyable_v<blocking_event>);

/// A file that was mapped into the program: what an address on a stack is looked up in.
struct loaded_module {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t bias = 0;  // what its addresses are moved by
    std::array<char, 512> path;
};

/// The events of one run, merged by stack, with all that is needed to read them elsewhere: the layout of a record
/// file (record_file.hpp), whose memory outlives the process. Zero bytes are an empty one.
struct blocking_event_memory {
    static constexpr std::array<char, 8> magic_now{'c', 'o', 'i', 'r', 'r', 'e', 'c', '1'};
    static constexpr int blocking_events_max = 512;
    static constexpr int modules_max = 256;

    std::array<char, 8> magic;
    std::uint64_t bytes;  // of all this
    std::int32_t pid;
    std::int32_t tid;
    blocking_engine engine;               // what really looked
    std::array<char, 256> missing;        // what that cannot see, and why
    std::array<char, 256> run_name;       // `run_options::name`
    std::atomic<std::uint32_t> finished;  // the run came to its end

    std::atomic<std::uint32_t> locked;
    std::atomic<std::uint32_t> modules_size;
    std::atomic<std::uint32_t> blocking_events_size;
    std::atomic<std::uint64_t> left_out;  // places beyond `blocking_events_max`

    /// The call that the fiber is in, with its stack: a process that is killed never comes back from it.
    std::atomic<std::uint32_t> in_call;
    std::int64_t call_began;  // CLOCK_MONOTONIC, ns
    blocking_event call;

    std::array<std::uint64_t, blocking_events_max> keys;
    std::array<loaded_module, modules_max> modules;
    std::array<blocking_event, blocking_events_max> events;  // last: a file ends with those that there are
};

/// The events of one run. Any thread, and signal handlers; a full table counts what it does not take.
class blocking_event_table {
public:
    static constexpr int capacity = blocking_event_memory::blocking_events_max;

    /// `place` is that of the blocking_event in the table, -1 when it was not taken.
    struct result {
        int index = -1;
        bool is_new = false;
    };

    /// Fills `memory`, which is all zero and outlives the table.
    explicit blocking_event_table(blocking_event_memory& memory) noexcept : memory_{memory} {}

    result record(const blocking_event& seen) noexcept;

    /// What was recorded at `place` is over, and has perhaps lasted longer than was said.
    void lengthen(int index, std::chrono::nanoseconds said, std::chrono::nanoseconds really) noexcept;

    [[nodiscard]] int size() const noexcept;
    [[nodiscard]] std::uint64_t left_out() const noexcept;
    void copy(int index, blocking_event& into) const noexcept;

private:
    class lock;

    blocking_event_memory& memory_;
};

}  // namespace coir::detail
