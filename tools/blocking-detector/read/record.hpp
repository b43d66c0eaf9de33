#pragma once

#include "detect/record/blocking_events.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace detector {

/// A checked copy of a record file: all indices and lengths in it are valid.
class record {
public:
    /// Throws `usage_error` for a file that cannot be read, is damaged, or is from a different version of coir.
    explicit record(const std::string& path);

    /// Whether the file begins with the magic number of a record file. Throws `usage_error` if it cannot be read.
    [[nodiscard]] static bool is_one(const std::string& path);

    [[nodiscard]] int pid() const noexcept { return memory_->pid; }
    [[nodiscard]] coir::blocking_engine engine() const noexcept { return memory_->engine; }
    [[nodiscard]] std::string_view missing() const noexcept { return memory_->missing.data(); }
    [[nodiscard]] bool is_finished() const noexcept { return memory_->finished != 0; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return memory_->left_out; }
    [[nodiscard]] std::span<const coir::detail::blocking_event> events() const noexcept;

    /// The call in progress when the process ended, or null; and the time at which it began (CLOCK_MONOTONIC, ns).
    [[nodiscard]] const coir::detail::blocking_event* unfinished_call() const noexcept;
    [[nodiscard]] std::int64_t call_began() const noexcept { return memory_->call_began; }

    /// The module that contains an address; null if there is none.
    [[nodiscard]] const coir::detail::loaded_module* module_at(std::uint64_t address) const noexcept;

private:
    struct unmapped {
        void operator()(coir::detail::blocking_event_memory* memory) const noexcept;
    };

    void check(const std::string& path);

    std::unique_ptr<coir::detail::blocking_event_memory, unmapped> memory_;
};

}  // namespace detector
