#pragma once

#include "base/unique_fd.hpp"
#include "detect/blocking_events.hpp"

#include <string>

namespace coir::detail {

/// Where a run's events lie: in a file of `folder`, or, without one, in memory that ends with the run. The file is
/// what `blocking-detector` reads; it survives `_exit`, a crash and SIGKILL.
class record_file {
public:
    /// `folder` is empty for none. Makes a file `<pid>-<number>.coirrec` there, with all its blocks: a full disk is an
    /// error now, and no SIGBUS later. Throws `std::system_error` naming the file.
    explicit record_file(const std::string& folder);
    /// Gives back what is not in use of the file.
    ~record_file();
    record_file(const record_file&) = delete;
    record_file& operator=(const record_file&) = delete;

    [[nodiscard]] blocking_event_memory& memory() noexcept { return *memory_; }

    /// Writes down which files are mapped, for addresses seen so far. Not for signal handlers.
    void note_modules() noexcept;

    /// The run has come to its end.
    void finish() noexcept { memory_->finished.store(1, std::memory_order_release); }

private:
    unique_fd file_;
    blocking_event_memory* memory_ = nullptr;
    unsigned long long modules_seen_ = 0;  // as the dynamic linker counts them
};

}  // namespace coir::detail
