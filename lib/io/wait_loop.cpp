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

bool is_time_to_yield(scheduler& here) noexcept {
    constexpr unsigned calls_in_a_row = 64;
    struct row {
        std::uint64_t slice;
        unsigned calls;
    };
    static thread_local constinit row row{};
    const std::uint64_t slice = here.status().slices.load(std::memory_order_relaxed);
    if (row.slice != slice) row = {slice, 0};
    if (++row.calls < calls_in_a_row) return false;
    row.calls = 0;
    return true;
}

}  // namespace coir::detail
