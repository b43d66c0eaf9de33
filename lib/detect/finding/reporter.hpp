#pragma once

#include <coir/blocking.hpp>

#include "base/unique_fd.hpp"
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
        blocking_report report;
        std::string location;  // source line in the program's own code
        std::string text;      // the log message
        bool suppressed = false;
        bool logged = false;
    };

    /// `config` must outlive the reporter. Throws `std::system_error` for a file that cannot be opened, and
    /// `std::invalid_argument` for a malformed file of suppressions.
    explicit reporter(const settings& config);

    /// Takes the next event of a table. Logs it unless it is suppressed or latent, or too many were logged in this
    /// minute. The reference is valid until the next call.
    const entry& add(const blocking_event& seen);

    /// Logs that the fiber of the entry `index` still sleeps, after `held`.
    void remind(int index, std::chrono::nanoseconds held);

    /// Delivers every report with its final counts, from the table `seen` whose events were added, and logs a summary.
    void finish(const blocking_event_table& seen);

private:
    bool may_log();
    void summarise(std::uint64_t left_out);
    void deliver(const blocking_report& report);
    void append_line(std::string line);
    [[nodiscard]] std::string shorten(std::string text) const;

    const settings& config_;
    const bool silent_;  // `blocking-detector` reports from the record file, and the program requests no reports itself
    suppressions suppressed_;
    unique_fd file_;
    std::string current_folder_;  // with a '/' at the end; removed from logged paths
    std::vector<entry> entries_;
    std::chrono::steady_clock::time_point minute_began_;
    int logged_in_minute_ = 0;
};

}  // namespace coir::detail
