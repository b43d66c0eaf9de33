#pragma once

#include "base/unique_fd.hpp"
#include "detect/record/blocking_events.hpp"

#include <string>

namespace coir::detail {

/// The memory for a run's events: mapped from a file, or anonymous memory that ends with the run. The tool
/// `blocking-detector` reads the file, which survives `_exit`, a crash and SIGKILL.
class record_file {
public:
    /// Creates a file `<pid>-<number>.coirrec` in `folder`; with an empty `folder`, none. Allocates all blocks of the
    /// file, so that a full disk is an error here and not a SIGBUS later. Throws `std::system_error`, which names the
    /// file.
    explicit record_file(const std::string& folder);
    /// Truncates the file to the used part.
    ~record_file();
    record_file(const record_file&) = delete;
    record_file& operator=(const record_file&) = delete;

    [[nodiscard]] blocking_event_memory& memory() noexcept { return *memory_; }

    /// Records which files are mapped, so that addresses can be symbolised later. Must not be called in a signal
    /// handler.
    void note_modules() noexcept;

    /// Marks the run as ended in order.
    void finish() noexcept { memory_->finished.store(1, std::memory_order_release); }

private:
    unique_fd file_;
    blocking_event_memory* memory_ = nullptr;
    unsigned long long modules_seen_ = 0;  // `dlpi_adds` at the last `note_modules`
};

}  // namespace coir::detail
