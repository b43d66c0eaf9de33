#include <coir/timeout.hpp>

#include "core/scheduler.hpp"

#include <exception>

namespace coir {

using detail::expiry_scope;
using detail::scheduler;
using detail::task;

namespace {

void expire(expiry_scope& scope) noexcept {
    scope.expired = true;
    scope.owner->attention = true;
}

void on_timer(detail::timer_node& node) noexcept {
    auto& scope = static_cast<expiry_scope&>(node);
    expire(scope);
    detail::interrupt(*scope.owner);
}

}  // namespace

timeout_scope::timeout_scope(deadline until) {
    scheduler& here = scheduler::get("timeout_scope");
    task& self = here.running();
    scope_.owner = &self;
    scope_.outer = self.scopes;
    scope_.shields = self.shields;
    scope_.uncaught = std::uncaught_exceptions();
    scope_.at = until.nanoseconds();
    scope_.fire = on_timer;
    self.scopes = &scope_;
    if (until.is_never()) return;
    // A deadline in the past must already interrupt the next suspension, before the hub fires timers.
    if (until.has_passed())
        expire(scope_);
    else
        here.timers().push(scope_);
}

timeout_scope::~timeout_scope() {
    task& self = *scope_.owner;
    COIR_CHECK(self.scopes == &scope_, "~timeout_scope: the scope is not the innermost one of its fiber; "
                                       "destroy scopes in reverse order, in the fiber that entered them");
    self.scopes = scope_.outer;
    if (!scope_.is_linked()) return;
    // In a forked process there is no scheduler: the timer is in the parent's queue and does not fire here.
    if (scheduler* const here = scheduler::current()) here->timers().remove(scope_);
}

void detail::throw_timed_out() { throw timed_out{"with_timeout"}; }

}  // namespace coir
