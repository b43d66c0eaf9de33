#pragma once

#include "detect/record/record_format.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace detector {

/// A file that was mapped into the program.
struct loaded_module {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t bias = 0;  // load address minus link-time address
    int pid = 0;             // of the process that has loaded it; those that it forked have it, too
    std::string path;
};

/// A checked copy of a run in a record file: all indices and lengths in it are valid.
class record {
public:
    [[nodiscard]] int pid() const noexcept { return memory_->pid; }
    [[nodiscard]] coir::blocking_engine engine() const noexcept { return memory_->engine; }
    [[nodiscard]] std::string_view missing() const noexcept { return memory_->missing.data(); }
    /// The time that fibers ran, up to a moment before the end.
    [[nodiscard]] std::chrono::nanoseconds fibers_ran() const noexcept {
        return std::chrono::nanoseconds{memory_->fibers_ran};
    }
    [[nodiscard]] bool is_finished() const noexcept { return memory_->finished != 0; }
    [[nodiscard]] std::span<const coir::detail::blocking_event> events() const noexcept;

    /// How many events were not recorded for lack of space; `left_out_errors` are those of the highest importance.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_errors() + memory_->left_out_others; }
    [[nodiscard]] std::uint64_t left_out_errors() const noexcept { return memory_->left_out_errors; }

    /// The call in progress when the process ended, or null; and the time at which it began (CLOCK_MONOTONIC, ns).
    [[nodiscard]] const coir::detail::blocking_event* unfinished_call() const noexcept;
    [[nodiscard]] std::int64_t call_began() const noexcept { return memory_->call_began; }

    /// The module that contains an address; null if there is none.
    [[nodiscard]] const loaded_module* module_at(std::uint64_t address) const noexcept;

private:
    friend class record_reader;

    static constexpr std::align_val_t alignment{alignof(coir::detail::blocking_event_memory)};

    struct deleter {
        void operator()(coir::detail::blocking_event_memory* memory) const noexcept;
    };

    record() = default;

    std::unique_ptr<coir::detail::blocking_event_memory, deleter> memory_;  // ends with the last event
    std::shared_ptr<std::vector<loaded_module>> modules_;                   // shared by the runs of a file
};

/// The record file of a process and of the children that it has forked.
struct record_file {
    std::vector<record> runs{};
    int pid = 0;
    std::int64_t began = 0;              // when the process created it: CLOCK_MONOTONIC, ns
    std::uint32_t runs_left_out = 0;     // runs for which there was no space
    std::vector<std::string> rebuilt{};  // paths of modules that are not the files that were recorded
};

/// Throws `usage_error` for a file that cannot be read, is damaged, or is from a different version of coir. A module in
/// which events lie, and whose file has another build id now, gets a path that does not exist: so its addresses have no
/// functions and lines, and not those of another program.
[[nodiscard]] record_file read_record_file(const std::string& path);

/// Whether the file begins like a record file. Throws `usage_error` if it cannot be read.
[[nodiscard]] bool is_record_file(const std::string& path);

}  // namespace detector
