#pragma once

#include "base/unique_fd.hpp"
#include "detect/finding/finding_set.hpp"
#include "detect/finding/finding_source.hpp"
#include "detect/finding/suppressions.hpp"
#include "detect/record/blocking_events.hpp"
#include "detect/settings.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace coir::detail {

/// Logs a run's events as warnings at once, and delivers the reports at the end of the run. Used on the watchdog's
/// thread.
class reporter {
public:
    /// The result for one `blocking_event`.
    struct entry {
        finding what;
        std::string text;  // the log message; empty unless it is an error that is not suppressed
        bool suppressed = false;
    };

    /// `config` must outlive the reporter. Throws `std::system_error` for a file that cannot be opened, and
    /// `std::invalid_argument` for a malformed file of suppressions.
    explicit reporter(const settings& config);

    /// Takes the next event of a table. Logs it if it is an error, unless it is suppressed, its location was logged
    /// before, or too many were logged in this minute. The reference is valid until the next call.
    const entry& add(const blocking_event& seen);

    /// Logs that the fiber of the entry `index` still sleeps, after `held`.
    void remind(int index, std::chrono::nanoseconds held);

    /// Delivers every report with its final counts, from the table `seen` whose events were added, and logs a summary.
    void finish(const blocking_event_table& seen);

private:
    bool may_log();
    void summarise(std::vector<finding> found, std::uint64_t left_out);
    void deliver(const finding& what);
    void append_line(std::string line);
    [[nodiscard]] std::string shorten(std::string text) const;

    const settings& config_;
    const bool silent_;  // `blocking-detector` reports from the record file, and the program requests no reports itself
    const std::string current_folder_;  // removed from logged paths
    finding_source source_;
    suppressions suppressed_;
    unique_fd file_;
    finding_set logged_;
    std::vector<entry> entries_;
    std::chrono::steady_clock::time_point minute_began_;
    int logged_in_minute_ = 0;
};

}  // namespace coir::detail
