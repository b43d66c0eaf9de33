#include "io/wait_loop.hpp"

#include <coir/detail/base/scope_exit.hpp>

namespace coir::detail {

std::error_code park_on_descriptor(scheduler& here, waiter& me, const deadline& until) {
    here.reactor().count_waiter();
    const scope_exit at_end{[&here] { here.reactor().discount_waiter(); }};
    switch (here.park(me, until)) {
    case outcome::woken: return {};
    case outcome::timed_out: return std::make_error_code(std::errc::timed_out);
    default: return std::make_error_code(std::errc::operation_canceled);
    }
}

}  // namespace coir::detail
