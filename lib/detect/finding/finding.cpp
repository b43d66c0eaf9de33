#include "detect/finding/finding.hpp"

#include "base/printable.hpp"

namespace coir::detail {

void make_printable(finding& what) {
    const auto change = [](auto&... texts) { ((texts = printable(texts)), ...); };
    change(what.call, what.fiber, what.spawned_at, what.test_case, what.fingerprint, what.coarse_fingerprint,
           what.suppressed_by);
    for (frame& each : what.stack) change(each.function, each.file, each.module);
}

}  // namespace coir::detail
