#pragma once

#include "detect/record/record_format.hpp"

#include <string>

namespace coir::detail {

/// The memory for the events of a run: a part of the process's record file, or anonymous memory that ends with the run.
/// The tool `blocking-detector` reads the file, which survives `_exit`, a crash and SIGKILL.
///
/// If the environment has COIR_BLOCKING_RECORDS, the process creates its file `<pid>-<time>.coirrec` in that folder
/// before `main`, when it still has the privileges and the file system with which it was started. The file is mapped
/// and closed: the program has no descriptor more. Its blocks are allocated one by one, when they are needed; where the
/// disk is full, runs and events are left out and counted.
class run_record {
public:
    /// With an empty `folder`, no file. If the file cannot be created, logs that once. Throws `std::system_error` when
    /// there is no memory.
    explicit run_record(const std::string& folder);
    /// Merges the run with the others that have ended in this process.
    ~run_record();
    run_record(const run_record&) = delete;
    run_record& operator=(const run_record&) = delete;

    [[nodiscard]] blocking_event_memory& memory() noexcept { return *memory_; }

    /// Records which files are mapped, so that addresses can be symbolised later. Must not be called in a signal
    /// handler.
    void note_modules() noexcept;

    /// Marks the run as ended in order.
    void finish() noexcept { memory_->finished.store(1, std::memory_order_release); }

private:
    [[nodiscard]] bool is_in_file() const noexcept;
    void keep() noexcept;

    record_header* file_ = nullptr;  // null: there is none
    blocking_event_memory* memory_ = nullptr;
};

}  // namespace coir::detail
