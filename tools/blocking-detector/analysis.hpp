#pragma once

#include "collection.hpp"
#include "finding.hpp"
#include "options.hpp"
#include "suppressing.hpp"

#include <set>
#include <string>
#include <vector>

namespace detector {

/// From what was recorded to what is reported: merges, leaves out, suppresses, sorts.
class analysis {
public:
    /// Reads the suppressions and the baseline, so that a mistake there shows before a program runs. Throws
    /// `usage_error`. The options outlive this.
    explicit analysis(const options& asked);

    [[nodiscard]] collection& seen() noexcept { return seen_; }

    /// What is reported of all that `seen()` has taken in.
    [[nodiscard]] result finish();

    /// Whether something was found that the exit status tells of. Known after `finish`, as the rest.
    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

    /// What a baseline of this run names.
    [[nodiscard]] const result& for_baseline() const noexcept { return for_baseline_; }

private:
    void leave_out_small(std::vector<finding>& findings, std::vector<std::string>& notes) const;
    void apply_baseline(std::vector<finding>& findings) const;
    void note_suppressions(std::vector<std::string>& notes);
    void strip_prefix(finding& of) const;
    void keep_first(result& found) const;

    const options& asked_;
    suppressing suppressing_;
    std::set<std::string> known_;  // by the baseline
    collection seen_;
    result for_baseline_;
    bool has_failed_ = false;
};

}  // namespace detector
