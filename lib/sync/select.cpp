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
#include <variant>

namespace coir::detail {

namespace {

using case_list = std::span<select_case* const>;

/// For a channel that threads share: stands among the others of that side.
struct shared_channel_waiter : waiter {
    shared_channel_waiter(scheduler& here, event_count& who)
        : waiter{here.running(), "select"}, name{*this, here}, others{who} {
        others.enter(name);
    }

    /// Whether it was told that something has come.
    bool leave() noexcept {
        if (others.leave(name)) return false;
        name.sleep_until_woken();
        return true;
    }

    parker name;
    event_count& others;
};

bool is_concurrent(const select_case* one) noexcept { return one->kind == case_kind::concurrent; }

/// What a case leaves with whoever can end the wait.
using arm = std::variant<std::monostate, channel_waiter, shared_channel_waiter, join_waiter>;
using arm_list = std::array<arm, cases_max>;

/// One of those ready, each as likely: the n-th takes the slot of the one drawn before with a chance of 1 in n.
select_case* draw_ready(scheduler& here, case_list cases) noexcept {
    select_case* drawn = nullptr;
    std::size_t ready = 0;
    for (select_case* const each : cases) {
        if (each->ready && here.draw(++ready) == 0) drawn = each;
    }
    return drawn;
}

waiter* extend(arm& slot, const select_case& to, scheduler& here) {
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

outcome result_of(const arm& extended) noexcept {
    if (const auto* channel = std::get_if<channel_waiter>(&extended)) return channel->result;
    if (const auto* shared = std::get_if<shared_channel_waiter>(&extended)) return shared->result;
    if (const auto* fiber = std::get_if<join_waiter>(&extended)) return fiber->result;
    return outcome::passed_over;
}

/// Takes back all that was left with others. Who was told of something that this fiber does not take, passes it on.
void withdraw(arm_list& arms) noexcept {
    for (arm& each : arms) {
        if (auto* const shared = std::get_if<shared_channel_waiter>(&each))
            shared->name.forget_waiter();
        else
            each.emplace<std::monostate>();
    }
    for (arm& each : arms) {
        auto* const shared = std::get_if<shared_channel_waiter>(&each);
        if (shared == nullptr) continue;
        const bool taken = shared->result == outcome::woken;
        if (shared->leave() && !taken) shared->others.wake_one();
    }
}

/// Whether a channel of several threads has got what is waited for since it was looked at, before it knew of this
/// fiber.
bool is_overtaken(case_list cases) {
    return std::ranges::any_of(cases, [](select_case* each) {
        if (!is_concurrent(each)) return false;
        each->look();
        return each->ready;
    });
}

/// nullptr when what had come was another's in the end.
select_case* wait_for_first(case_list cases, select_case& first_due) {
    scheduler& here = scheduler::enter("select");
    waiter me{here.running(), "select"};
    arm_list arms;
    const scope_exit at_end{[&arms] { withdraw(arms); }};
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (waiter* const one = extend(arms[i], *cases[i], here)) me.join_ring(*one);
    }
    if (is_overtaken(cases)) return nullptr;
    std::optional<expectation> of_others;
    if (std::ranges::any_of(cases, is_concurrent)) of_others.emplace(here.inbox());
    if (here.park(me, first_due.until) == outcome::timed_out) return &first_due;

    const auto won = std::ranges::find_if(
        arms, [](outcome how) { return how != outcome::passed_over; }, result_of);
    COIR_CHECK(won != arms.end(), "a select is woken by none of its cases");
    select_case& first = *cases[static_cast<std::size_t>(won - arms.begin())];
    if (first.kind == case_kind::send && result_of(*won) == outcome::closed) throw_channel_closed();
    return first.kind != case_kind::concurrent || first.take() ? &first : nullptr;
}

}  // namespace

select_case& choose_case(case_list cases) {
    scheduler& here = scheduler::get("select");
    for (;;) {
        for (select_case* const each : cases) {
            each->look();
            if (each->awaited != nullptr) each->ready = task_of(*each->awaited, "select").state == task_state::ended;
        }
        while (select_case* const ready = draw_ready(here, cases)) {
            if (ready->take()) return *ready;
            ready->ready = false;
        }
        select_case& first_due = **std::ranges::min_element(cases, {}, &select_case::until);
        if (first_due.until.has_passed()) return first_due;
        const auto otherwise = std::ranges::find(cases, case_kind::otherwise, &select_case::kind);
        if (otherwise != cases.end()) return **otherwise;
        if (select_case* const first = wait_for_first(cases, first_due)) return *first;
    }
}

}  // namespace coir::detail
