#pragma once

#include "detect/blocking_events.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace detector {

/// A record file, copied and checked: what it says can be trusted not to lead out of it.
class record {
public:
    /// Throws `usage_error` for a file that cannot be read, or that no coir of this version has written.
    explicit record(const std::string& path);

    /// Whether a file's beginning says that it is one.
    [[nodiscard]] static bool is_one(const std::string& path);

    [[nodiscard]] int pid() const noexcept { return memory_->pid; }
    [[nodiscard]] coir::blocking_engine engine() const noexcept { return memory_->engine; }
    [[nodiscard]] std::string_view missing() const noexcept { return memory_->missing.data(); }
    [[nodiscard]] bool is_finished() const noexcept { return memory_->finished != 0; }
    [[nodiscard]] std::uint64_t left_out() const noexcept { return memory_->left_out; }
    [[nodiscard]] std::span<const coir::detail::blocking_event> events() const noexcept;

    /// The call that the process was in when it ended, and when that began (CLOCK_MONOTONIC, ns).
    [[nodiscard]] const coir::detail::blocking_event* unfinished_call() const noexcept;
    [[nodiscard]] std::int64_t call_began() const noexcept { return memory_->call_began; }

    /// The module that an address lies in; null when it lies in none.
    [[nodiscard]] const coir::detail::loaded_module* module_at(std::uint64_t address) const noexcept;

private:
    struct unmapped {
        void operator()(coir::detail::blocking_event_memory* memory) const noexcept;
    };

    void check(const std::string& path);

    std::unique_ptr<coir::detail::blocking_event_memory, unmapped> memory_;
};

}  // namespace detector
