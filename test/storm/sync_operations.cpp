#include <coir/detail/base/scope_exit.hpp>

#include "storm/operations.hpp"

#include <mutex>
#include <optional>

namespace coir::storm {

namespace {

std::chrono::microseconds a_moment(island& here) { return std::chrono::microseconds{here.random.below(1000)}; }

}  // namespace

void lock(island& here) {
    const std::lock_guard held{here.door};
    expect(!here.is_occupied, here, "one fiber at a time holds a mutex");
    here.is_occupied = true;
    const detail::scope_exit at_end{[&] { here.is_occupied = false; }};
    this_fiber::yield();
    if (here.random.below(16) == 0) this_fiber::sleep_for(a_moment(here));
}

void deliver(island& here) {
    const std::lock_guard held{here.door};
    ++here.goods;
    ++here.all.counts.goods.in;
    here.delivery.notify_one();
}

void take_delivery(island& here) {
    std::unique_lock held{here.door};
    if (!here.delivery.wait_for(held, a_moment(here), [&] { return here.goods > 0; })) return;
    --here.goods;
    ++here.all.counts.goods.out;
}

void take_permit(island& here) {
    if (!here.permits.try_acquire_for(a_moment(here))) return;
    expect(++here.permits_taken <= island::permits_max, here, "a semaphore gives no more permits than it has");
    const detail::scope_exit at_end{[&] {
        --here.permits_taken;
        here.permits.release();
    }};
    this_fiber::sleep_for(a_moment(here) / 4);
}

void send_value(island& here) {
    try {
        here.values.send(1, a_moment(here));
        ++here.all.counts.values.in;
    } catch (const timed_out&) {
    }
}

void receive_value(island& here) {
    try {
        here.values.recv(a_moment(here));
        ++here.all.counts.values.out;
    } catch (const timed_out&) {
    }
}

void select_value(island& here) {
    ledger& counts = here.all.counts;
    channel<int> other{1};
    static_cast<void>(other.try_send(1));
    select(on_recv(here.values, [&](std::optional<int>) { ++counts.values.out; }),
           on_send(here.values, 1, [&] { ++counts.values.in; }),
           on_recv(here.all.values, [&](std::optional<int>) { ++counts.values.out; }), on_send(other, 2, [] {}),
           on_timeout(a_moment(here), [] {}));
}

void sleep(island& here) {
    if (here.random.below(2) == 0)
        this_fiber::yield();
    else
        this_fiber::sleep_for(a_moment(here));
}

}  // namespace coir::storm
