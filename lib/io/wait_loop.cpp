#include "io/wait_loop.hpp"

namespace coir::detail {

std::error_code park_on_descriptor(scheduler& here, waiter& me, const deadline& until) {
    struct count {
        explicit count(reactor& counts) noexcept : at{counts} { at.count_waiter(); }
        ~count() { at.discount_waiter(); }
        reactor& at;
    } const counted{here.reactor()};
    switch (here.park(me, until)) {
    case outcome::woken: return {};
    case outcome::timed_out: return std::make_error_code(std::errc::timed_out);
    default: return std::make_error_code(std::errc::operation_canceled);
    }
}

}  // namespace coir::detail
