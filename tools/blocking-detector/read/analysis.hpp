#pragma once

#include "cli/options.hpp"
#include "read/baseline.hpp"
#include "read/collection.hpp"
#include "read/result.hpp"
#include "read/suppressing.hpp"

#include <string>
#include <vector>

namespace detector {

/// Turns recorded events into the findings to report: merges, filters, suppresses and sorts them.
class analysis {
public:
    /// Reads the suppressions and the baseline, so that an error in them is found before a program runs. Throws
    /// `usage_error`. The options must outlive the object.
    explicit analysis(const options& requested);

    [[nodiscard]] collection& seen() noexcept { return seen_; }

    /// The findings to report, from all records that were added to `seen()`.
    [[nodiscard]] result finish();

    /// Whether the exit status is `exit_findings`. Valid after `finish`.
    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

    /// The findings for a baseline of this run. Valid after `finish`.
    [[nodiscard]] const result& for_baseline() const noexcept { return for_baseline_; }

private:
    void judge(std::vector<finding>& findings) const;
    void apply_baseline(std::vector<finding>& findings);
    void note_suppressions(std::vector<std::string>& notes);
    void strip_prefix(finding& of) const;
    void keep_first(result& found) const;

    const options& options_;
    suppressing suppressing_;
    baseline known_;
    collection seen_;
    result for_baseline_;
    bool has_failed_ = false;
};

}  // namespace detector
