#pragma once

#include "base/unique_fd.hpp"
#include "detect/finding/finding_set.hpp"
#include "detect/finding/finding_source.hpp"
#include "detect/finding/report_queue.hpp"
#include "detect/finding/suppressions.hpp"
#include "detect/record/blocking_events.hpp"
#include "detect/settings.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coir::detail {

/// Logs a run's events as warnings at once, and tells the program of them through a `report_queue`. Writes the file of
/// reports at the end of the run. Used on the watchdog's thread.
class reporter {
public:
    /// The result for one `blocking_event`.
    struct entry {
        finding what;
        std::string key;   // `location_key`; empty if it is suppressed
        std::string text;  // the log message; empty unless it is an error that is not suppressed
    };

    /// `config` and `program` must outlive the reporter. Throws `std::system_error` for a file that cannot be opened, and
    /// `std::invalid_argument` for a malformed file of suppressions.
    reporter(const settings& config, report_queue& program);

    /// Prepares `add` for the events of the table from `begin` on: looks up their symbols at once.
    void look_up(const blocking_event_table& seen, int begin) const;

    /// Takes the next event of the table `all`, and tells the program if its location is new or has a higher level than
    /// before. Logs it if it is an error, unless it is suppressed, its location was logged before, or too many were logged
    /// in this minute. The reference is valid until the next call.
    const entry& add(const blocking_event& seen, const blocking_event_table& all);

    /// Logs that the fiber of the entry `index` still sleeps, after `held`.
    void remind(int index, std::chrono::nanoseconds held);

    /// Tells the program of each location if its numbers have changed. `seen` is the table of the events that were added,
    /// and `fibers_ran` the time that the fibers of the run have run.
    void tell_changes(const blocking_event_table& seen, std::chrono::nanoseconds fibers_ran);

    /// The same at the end of the run. Also writes every finding to the file, and logs a summary.
    void finish(const blocking_event_table& seen, std::chrono::nanoseconds fibers_ran);

private:
    /// What the log and the program know of a location.
    struct known_location {
        std::uint64_t id = 0;  // `blocking_report::id`
        bool logged = false;
        bool told = false;  // the program, with the numbers below
        blocking_level level = blocking_level::note;
        std::uint64_t count = 0;
        double total_ms = 0;
    };

    void describe(const blocking_event& seen, const blocking_event_table& all, entry& made);
    bool may_log();
    [[nodiscard]] known_location& location_of(const finding& what);
    [[nodiscard]] std::vector<finding> current_findings(const blocking_event_table& seen,
                                                        std::chrono::nanoseconds fibers_ran,
                                                        const std::string& key = {});
    void tell(const finding& what);
    void summarise(std::vector<finding> found, std::uint64_t left_out);
    void append_line(std::string line);
    [[nodiscard]] std::string shorten(std::string text) const;

    const settings& config_;
    const bool silent_;  // `blocking-detector` reports from the record file, and the program requests no reports itself
    const std::string current_folder_;  // removed from logged paths
    finding_source source_;
    suppressions suppressed_;
    unique_fd file_;
    report_queue& program_;
    std::map<std::string, known_location> locations_;  // by `location_key`
    std::vector<entry> entries_;
    std::chrono::steady_clock::time_point minute_began_;
    int logged_in_minute_ = 0;
};

}  // namespace coir::detail
