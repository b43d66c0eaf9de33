#pragma once

#include <coir/blocking.hpp>

#include "base/unique_fd.hpp"
#include "detect/blocking_events.hpp"
#include "detect/settings.hpp"
#include "detect/suppressions.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace coir::detail {

/// What a run's events become: warnings in the log at once, and at the end the reports. Used on the watchdog's
/// thread.
class reporter {
public:
    /// What became of one blocking_event.
    struct entry {
        blocking_report report;
        std::string location;  // the user's line
        std::string text;      // as logged
        bool suppressed = false;
        bool logged = false;
    };

    /// Throws `std::system_error` for a file that cannot be opened, `std::invalid_argument` for one that makes no
    /// sense.
    explicit reporter(const settings& how);

    /// The next of a table's events: logs it, unless it is suppressed, latent, or one too many in a minute.
    const entry& add(const blocking_event& seen);

    /// Says that the fiber of an entry still sleeps there.
    void remind(int index, std::chrono::nanoseconds held);

    /// Delivers every report, with the counts of the table that they were added from, and logs a summary.
    void finish(const blocking_event_table& seen);

private:
    bool may_log();
    void summarise(std::uint64_t left_out);
    void deliver(const blocking_report& report);
    void append_line(std::string line);
    [[nodiscard]] std::string shorten(std::string text) const;

    const settings& how_;
    const bool silent_;  // who reads the record file has the say: nothing is asked for here
    suppressions suppressed_;
    unique_fd file_;
    std::string current_folder_;  // with a '/': left out of what is logged
    std::vector<entry> entries_;
    std::chrono::steady_clock::time_point minute_began_;
    int logged_in_minute_ = 0;
};

}  // namespace coir::detail
