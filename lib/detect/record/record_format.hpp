#pragma once

#include "detect/record/blocking_events.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coir::detail {

/// The state of a run in a record file.
enum class run_state : std::uint8_t {
    free,     // no run
    live,     // in progress, or the process was killed in it
    ended,    // one or several runs that have ended; others may be merged into it
    merging,  // the same, while another run is merged into it
};

/// The beginning of a record file (docs/design/record-format.md). Behind it are `runs_size` objects of
/// `blocking_event_memory`. A process shares its file with the children that it forks.
struct record_header {
    static constexpr std::array<char, 8> magic_now{'c', 'o', 'i', 'r', 'r', 'e', 'c', '3'};
    static constexpr std::size_t runs_max = 128;
    static constexpr std::size_t modules_max = 64512;  // bytes

    std::array<char, 8> magic;  // stored last
    std::uint32_t header_bytes;
    std::uint32_t run_bytes;
    std::uint32_t event_bytes;
    std::uint32_t runs_size;
    std::int32_t pid;    // of the process that created the file, in its own namespace
    std::int64_t began;  // when it did so: CLOCK_MONOTONIC, ns

    std::atomic<std::uint32_t> runs_begun;
    std::atomic<std::uint32_t> runs_left_out;  // runs that ended without a trace, because there was no space
    std::array<std::atomic<run_state>, runs_max> states;

    std::atomic<std::uint32_t> modules_used;                   // bytes of `modules`
    alignas(1024) std::array<std::byte, modules_max> modules;  // objects of `recorded_module`
};
static_assert(sizeof(record_header) == std::size_t{64} << 10);

/// A file that is mapped into a process. Serves to find the symbol of a code address. Its path follows, ends with a
/// zero byte, and is padded to a multiple of eight bytes.
struct recorded_module {
    static constexpr std::uint32_t mark_now = 0x6c646f6d;  // "modl"

    std::atomic<std::uint32_t> mark;  // stored last. Without it, the entry begins somewhere behind
    std::uint32_t bytes;              // with the path
    std::uint64_t begin;
    std::uint64_t end;
    std::uint64_t bias;  // load address minus link-time address (`dlpi_addr`)
    std::int32_t pid;    // of the process that has loaded it
    std::uint8_t build_id_bytes;
    std::array<std::uint8_t, 27> build_id;  // NT_GNU_BUILD_ID; a longer one is cut

    [[nodiscard]] const char* path() const noexcept { return reinterpret_cast<const char*>(this + 1); }
};
static_assert(sizeof(recorded_module) == 64);

/// Calls `visit` with each complete entry of `modules`.
template <class Visit> void for_each_module(const record_header& in, Visit visit) {
    const std::size_t used = std::min<std::size_t>(in.modules_used.load(std::memory_order_acquire), in.modules.size());
    for (std::size_t at = 0; at + sizeof(recorded_module) < used;) {
        const auto& each = *reinterpret_cast<const recorded_module*>(&in.modules[at]);
        const bool is_complete = each.mark.load(std::memory_order_acquire) == recorded_module::mark_now &&
                                 each.bytes > sizeof(recorded_module) && each.bytes % 8 == 0 &&
                                 each.bytes <= used - at && in.modules[at + each.bytes - 1] == std::byte{0};
        if (is_complete) visit(each);
        at += is_complete ? each.bytes : 8;  // not complete: the process was killed in it, or is about to fill it
    }
}

}  // namespace coir::detail
