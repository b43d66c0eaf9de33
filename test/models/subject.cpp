#include "models/subject.hpp"

#include <coir/error.hpp>
#include <coir/shield.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>

#include <system_error>

namespace coir::models {

namespace {

using call = std::function<outcome()>;

outcome call_shielded(const operation& what, const call& f) {
    if (!what.shielded) return f();
    const shield_scope shield;
    return f();
}

outcome call_in_inner_scope(const operation& what, const call& f) {
    if (what.inner == unlimited) return call_shielded(what, f);
    const auto result = try_with_timeout(deadline_of(what.inner), [&] { return call_shielded(what, f); });
    return result.value_or(outcome::inner_expired);
}

outcome call_in_outer_scope(const operation& what, const call& f) {
    if (what.outer == unlimited) return call_in_inner_scope(what, f);
    const auto in_scope = [&] {
        try {
            return call_in_inner_scope(what, f);
        } catch (const timed_out&) {
            return outcome::timed_out;
        }
    };
    try {
        return with_timeout(deadline_of(what.outer), in_scope);
    } catch (const timed_out&) {
        return outcome::outer_expired;
    }
}

}  // namespace

outcome outcome_of_call(const operation& what, const call& f) {
    try {
        if (what.delay != 0) this_fiber::sleep_for(what.delay * half_tick);
        return call_in_outer_scope(what, f);
    } catch (const timed_out&) {
        return outcome::timed_out;
    } catch (const cancelled&) {
        return outcome::cancelled;
    } catch (const channel_closed&) {
        return outcome::closed;
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::resource_deadlock_would_occur) return outcome::already_held;
        if (error.code() == std::errc::operation_not_permitted) return outcome::not_permitted;
        return outcome::other_exception;
    } catch (const std::exception&) {
        return outcome::other_exception;
    }
}

}  // namespace coir::models
