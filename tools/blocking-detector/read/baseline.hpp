#pragma once

#include "read/result.hpp"

#include <cstddef>
#include <map>
#include <set>
#include <string>

namespace detector {

/// The findings that a file says are known.
///
/// An entry has both fingerprints of a finding (detect/finding/identity.hpp). A finding with a source is known by the
/// first. A finding whose source cannot be read, here or when the baseline was written, is known by the coarse one, as
/// many times as the baseline has it.
class baseline {
public:
    baseline() = default;

    /// Throws `usage_error` for a file that cannot be read or is malformed.
    explicit baseline(const std::string& path);

    /// Whether the finding is known. Takes the entry, so that it does not make another finding known.
    [[nodiscard]] bool take(const finding& which);

private:
    std::set<std::string> fingerprints_;
    std::map<std::string, std::size_t> coarse_;      // all entries
    std::map<std::string, std::size_t> sourceless_;  // entries that have no other fingerprint
};

/// A baseline of the findings, as JSON.
[[nodiscard]] std::string to_baseline(const result& what);

}  // namespace detector
