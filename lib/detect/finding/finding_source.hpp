#pragma once

#include "detect/finding/finding.hpp"
#include "detect/finding/identity.hpp"
#include "detect/finding/users_code.hpp"
#include "detect/record/blocking_events.hpp"

#include <functional>
#include <vector>

namespace coir::detail {

/// Makes findings of events.
class finding_source {
public:
    /// The functions at a return address, the innermost first; never empty. `caller` is the return address of the next
    /// frame, which may tell the name of a function that has none; nullptr if unknown.
    using symbols = std::function<std::vector<frame>(const void* return_address, const void* caller)>;

    explicit finding_source(users_code code) : code_{std::move(code)}, identity_{code_.source_root} {}

    [[nodiscard]] finding from_event(const blocking_event& seen, const symbols& look_up);

private:
    users_code code_;
    identity identity_;
};

}  // namespace coir::detail
