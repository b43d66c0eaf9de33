#pragma once

#include "detect/finding/finding.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace coir::detail {

/// A larger file is not read as source code.
inline constexpr std::size_t source_file_bytes_max = std::size_t{16} << 20;

/// Gives findings their fingerprints, which identify a location in the code across engines, builds and machines.
///
/// A fingerprint is a hash of the class, the call, the user's file and function, the text of the statement, and its
/// number among equal statements of the function. It changes with these, and with nothing else: not with line numbers,
/// callers, counts, or the stack inside the user's frame. The coarse fingerprint has the class, the call and the
/// function only. Where the source cannot be read, the first is equal to it.
class identity {
public:
    /// Files under `source_root` are identified by their path inside it, others by their name.
    explicit identity(std::string source_root) : source_root_{std::move(source_root)} {}

    /// Sets `fingerprint` and `coarse_fingerprint`.
    void identify(finding& which);

private:
    using lines = std::vector<std::string>;

    const lines& lines_of(const std::string& file);

    std::string source_root_;
    std::map<std::string, lines> read_;
};

}  // namespace coir::detail
