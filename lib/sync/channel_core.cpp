#include <coir/detail/sync/channel_core.hpp>
#include <coir/error.hpp>

#include "sync/bind_owner.hpp"
#include "sync/channel_waiter.hpp"

namespace coir::detail {

namespace {

void* first_value(const list<waiter>& waiters) noexcept { return static_cast<channel_waiter*>(waiters.front())->value; }

}  // namespace

channel_core::~channel_core() {
    COIR_CHECK((senders_.empty() && receivers_.empty()) || owner_.is_from_parent_process(),
               "channel: destroyed while fibers wait on it; stop and join them first");
}

scheduler& channel_core::enter(const char* operation) {
    return detail::bind_owner(owner_, operation, [this]() noexcept { forget_waiting(); });
}

bool channel_core::enter_to_wait(const char* operation) { return enter(operation).is_yield_due(); }

void channel_core::yield() noexcept { scheduler::current()->yield(); }

void* channel_core::receiver_slot() const noexcept { return first_value(receivers_); }

void* channel_core::sender_slot() const noexcept { return first_value(senders_); }

void channel_core::wake_receiver() noexcept { receivers_.front()->wake(outcome::woken); }

void channel_core::wake_sender() noexcept { senders_.front()->wake(outcome::woken); }

bool channel_core::wait_to_send(void* value, const deadline& until) {
    scheduler& here = scheduler::enter("channel::send");
    channel_waiter me{here.running(), "channel::send", value};
    senders_.push_back(me);
    const outcome how = here.park(me, until);
    if (how == outcome::closed) throw_channel_closed();
    return how == outcome::woken;
}

bool channel_core::wait_to_receive(void* value, const deadline& until) {
    scheduler& here = scheduler::enter("channel::recv");
    channel_waiter me{here.running(), "channel::recv", value};
    receivers_.push_back(me);
    return here.park(me, until) != outcome::timed_out;
}

void channel_core::add_sender(channel_waiter& last) noexcept { senders_.push_back(last); }

void channel_core::add_receiver(channel_waiter& last) noexcept { receivers_.push_back(last); }

void channel_core::close() {
    bind_owner("channel::close");
    closed_ = true;
    while (waiter* const sender = senders_.front()) sender->wake(outcome::closed);
    while (waiter* const receiver = receivers_.front()) receiver->wake(outcome::closed);
}

void throw_channel_closed() { throw channel_closed{}; }

void throw_channel_timed_out(const char* operation) { throw timed_out{operation}; }

}  // namespace coir::detail
