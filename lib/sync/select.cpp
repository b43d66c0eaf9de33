#include <coir/detail/base/scope_exit.hpp>
#include <coir/detail/sync/event_count.hpp>
#include <coir/sync/select.hpp>

#include "core/scheduler.hpp"
#include "core/task/join_waiter.hpp"
#include "sync/channel_waiter.hpp"
#include "sync/parker.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>
#include <variant>

namespace coir::detail {

namespace {

using case_list = std::span<select_case* const>;

/// The waiter for a concurrent_channel. Registered with the event count of one side of the channel.
struct shared_channel_waiter : waiter {
    shared_channel_waiter(scheduler& here, event_count& side)
        : waiter{here.running(), "select"}, entry{*this, here}, others{side} {
        others.enter(entry);
    }

    /// Ends the registration. Returns whether it was woken.
    bool leave() noexcept {
        if (others.leave(entry)) return false;
        entry.sleep_until_woken();
        return true;
    }

    parker entry;
    event_count& others;
};

bool is_concurrent(const select_case* one) noexcept { return one->kind == case_kind::concurrent; }

/// The registration of one case with the object that can end the wait.
using registration = std::variant<std::monostate, channel_waiter, shared_channel_waiter, join_waiter>;
using registration_list = std::array<registration, cases_max>;

/// Draws one of the ready cases with equal probability: the n-th ready case replaces the one drawn before with
/// probability 1/n (reservoir sampling). nullptr if none is ready.
select_case* draw_ready(scheduler& here, case_list cases) noexcept {
    select_case* drawn = nullptr;
    std::size_t ready = 0;
    for (select_case* const each : cases) {
        if (each->ready && here.draw(++ready) == 0) drawn = each;
    }
    return drawn;
}

/// The numbers from 0 to `count` - 1 in random order. Of several cases with one channel, the one that waits first is
/// served first.
std::array<std::size_t, cases_max> shuffled(scheduler& here, std::size_t count) noexcept {
    std::array<std::size_t, cases_max> order{};
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = here.draw(i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    return order;
}

waiter* register_case(registration& slot, const select_case& to, scheduler& here) {
    task& self = here.running();
    switch (to.kind) {
    case case_kind::receive: {
        channel_waiter& receiver = slot.emplace<channel_waiter>(self, "select", to.slot);
        to.core->add_receiver(receiver);
        return &receiver;
    }
    case case_kind::send: {
        channel_waiter& sender = slot.emplace<channel_waiter>(self, "select", to.slot);
        to.core->add_sender(sender);
        return &sender;
    }
    case case_kind::concurrent: return &slot.emplace<shared_channel_waiter>(here, *to.others);
    case case_kind::end: return &slot.emplace<join_waiter>(self, task_of(*to.awaited, "select"), "select");
    case case_kind::timeout:
    case case_kind::otherwise: break;
    }
    return nullptr;
}

outcome result_of(const registration& ended) noexcept {
    if (const auto* channel = std::get_if<channel_waiter>(&ended)) return channel->result;
    if (const auto* shared = std::get_if<shared_channel_waiter>(&ended)) return shared->result;
    if (const auto* fiber = std::get_if<join_waiter>(&ended)) return fiber->result;
    return outcome::passed_over;
}

/// Removes all registrations. A wake of a concurrent_channel that this fiber does not use is passed on to the next
/// waiter there.
void withdraw(registration_list& registrations) noexcept {
    for (registration& each : registrations) {
        if (auto* const shared = std::get_if<shared_channel_waiter>(&each))
            shared->entry.forget_waiter();
        else
            each.emplace<std::monostate>();
    }
    for (registration& each : registrations) {
        auto* const shared = std::get_if<shared_channel_waiter>(&each);
        if (shared == nullptr) continue;
        const bool taken = shared->result == outcome::woken;
        if (shared->leave() && !taken) shared->others.wake_one();
    }
}

/// Whether a concurrent_channel became ready after the first check and before this fiber was registered with it: then
/// no wake comes.
bool became_ready(case_list cases) {
    return std::ranges::any_of(cases, [](select_case* each) {
        if (!is_concurrent(each)) return false;
        each->look();
        return each->ready;
    });
}

/// Parks until one of the cases is ready, and takes it. nullptr if the cases must be checked again: the time is up, or
/// another thread was faster.
select_case* wait_for_first(case_list cases, const deadline& until) {
    scheduler& here = scheduler::enter("select");
    waiter me{here.running(), "select"};
    registration_list registrations;
    const scope_exit at_end{[&registrations] { withdraw(registrations); }};
    const std::array<std::size_t, cases_max> order = shuffled(here, cases.size());
    for (const std::size_t i : std::span{order}.first(cases.size())) {
        if (waiter* const one = register_case(registrations[i], *cases[i], here)) me.join_ring(*one);
    }
    if (became_ready(cases)) return nullptr;
    std::optional<expectation> of_others;
    if (std::ranges::any_of(cases, is_concurrent)) of_others.emplace(here.inbox());
    if (here.park(me, until) == outcome::timed_out) return nullptr;

    const auto won = std::ranges::find_if(
        registrations, [](outcome how) { return how != outcome::passed_over; }, result_of);
    COIR_CHECK(won != registrations.end(), "select: the fiber was woken, but none of its cases was");
    select_case& first = *cases[static_cast<std::size_t>(won - registrations.begin())];
    if (first.kind == case_kind::send && result_of(*won) == outcome::closed) throw_channel_closed();
    return first.kind != case_kind::concurrent || first.take() ? &first : nullptr;
}

}  // namespace

select_case& choose_case(case_list cases) {
    scheduler& here = scheduler::get("select");
    const auto otherwise = std::ranges::find(cases, case_kind::otherwise, &select_case::kind);
    const bool may_wait = otherwise == cases.end();
    for (;;) {
        for (select_case* const each : cases) {
            each->look();
            if (each->awaited != nullptr) each->ready = task_of(*each->awaited, "select").state == task_state::ended;
        }
        while (select_case* const ready = draw_ready(here, cases)) {
            if (ready->take()) {
                if (may_wait) here.yield_if_due();
                return *ready;
            }
            ready->ready = false;
        }
        select_case& first_due = **std::ranges::min_element(cases, {}, &select_case::until);
        if (first_due.until.has_passed()) {
            if (may_wait) here.yield_if_due();
            return first_due;
        }
        if (!may_wait) return **otherwise;
        if (select_case* const first = wait_for_first(cases, first_due.until)) return *first;
    }
}

}  // namespace coir::detail
