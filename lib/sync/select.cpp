#include <algorithm>
#include <array>
#include <coir/select.hpp>
#include <variant>

#include "core/joiner.hpp"
#include "core/scheduler.hpp"
#include "sync/party.hpp"

namespace coir::detail {

namespace {

using case_list = std::span<select_case* const>;

/// What a case leaves with whoever can end the wait.
using arm = std::variant<std::monostate, party, joiner>;

/// One of those ready, each as likely: the n-th takes the place of the one drawn before with a chance of 1 in n.
select_case* draw_ready(scheduler& here, case_list cases) noexcept {
    select_case* drawn = nullptr;
    std::size_t ready = 0;
    for (select_case* const each : cases) {
        if (each->ready && here.draw(++ready) == 0) drawn = each;
    }
    return drawn;
}

waiter* extend(arm& place, const select_case& to, task& self) {
    switch (to.kind) {
    case case_kind::receive: {
        party& receiver = place.emplace<party>(self, "select", to.place);
        to.core->add_receiver(receiver);
        return &receiver;
    }
    case case_kind::send: {
        party& sender = place.emplace<party>(self, "select", to.place);
        to.core->add_sender(sender);
        return &sender;
    }
    case case_kind::end: return &place.emplace<joiner>(self, task_of(*to.awaited, "select"), "select");
    case case_kind::timeout:
    case case_kind::otherwise: break;
    }
    return nullptr;
}

outcome result_of(const arm& extended) noexcept {
    if (const auto* channel = std::get_if<party>(&extended)) return channel->result;
    if (const auto* fiber = std::get_if<joiner>(&extended)) return fiber->result;
    return outcome::passed_over;
}

select_case& wait_for_first(case_list cases, select_case& first_due) {
    scheduler& here = scheduler::enter("select");
    waiter me{here.running(), "select"};
    std::array<arm, cases_max> arms;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (waiter* const one = extend(arms[i], *cases[i], me.self)) me.join_ring(*one);
    }
    if (here.park(me, first_due.until) == outcome::timed_out) return first_due;

    const auto won = std::ranges::find_if(
        arms, [](outcome how) { return how != outcome::passed_over; }, result_of);
    COIR_CHECK(won != arms.end(), "a select is woken by none of its cases");
    select_case& first = *cases[static_cast<std::size_t>(won - arms.begin())];
    if (first.kind == case_kind::send && result_of(*won) == outcome::closed) channel_core::throw_closed();
    return first;
}

}  // namespace

select_case& choose_case(case_list cases) {
    scheduler& here = scheduler::get("select");
    for (select_case* const each : cases) {
        if (each->awaited != nullptr) each->ready = task_of(*each->awaited, "select").state == task_state::ended;
    }
    if (select_case* const ready = draw_ready(here, cases)) return *ready;
    select_case& first_due = **std::ranges::min_element(cases, {}, &select_case::until);
    if (first_due.until.has_passed()) return first_due;
    const auto otherwise = std::ranges::find(cases, case_kind::otherwise, &select_case::kind);
    return otherwise != cases.end() ? **otherwise : wait_for_first(cases, first_due);
}

}  // namespace coir::detail
