#include <coir/detail/channel_core.hpp>
#include <coir/error.hpp>

#include "sync/claim.hpp"
#include "sync/party.hpp"

namespace coir::detail {

namespace {

void* first_place(const list<waiter>& parties) noexcept { return static_cast<party*>(parties.front())->place; }

}  // namespace

channel_core::~channel_core() {
    COIR_CHECK((senders_.empty() && receivers_.empty()) || owner_.is_inherited(),
               "a channel is destroyed while fibers wait on it");
}

void channel_core::enter(const char* operation) {
    detail::claim(owner_, operation, [this]() noexcept { forget_waiting(); });
}

void* channel_core::receiver_place() const noexcept { return first_place(receivers_); }

void* channel_core::sender_place() const noexcept { return first_place(senders_); }

void channel_core::wake_receiver() noexcept { receivers_.front()->wake(outcome::woken); }

void channel_core::wake_sender() noexcept { senders_.front()->wake(outcome::woken); }

void channel_core::wait_to_send(void* place, const deadline& until) {
    scheduler& here = scheduler::enter("channel::send");
    party me{here.running(), "channel::send", place};
    senders_.push_back(me);
    switch (here.park(me, until)) {
    case outcome::closed: throw_channel_closed();
    case outcome::timed_out: throw timed_out{"channel::send"};
    default: return;
    }
}

void channel_core::wait_to_receive(void* place, const deadline& until) {
    scheduler& here = scheduler::enter("channel::recv");
    party me{here.running(), "channel::recv", place};
    receivers_.push_back(me);
    if (here.park(me, until) == outcome::timed_out) throw timed_out{"channel::recv"};
}

void channel_core::add_sender(party& last) noexcept { senders_.push_back(last); }

void channel_core::add_receiver(party& last) noexcept { receivers_.push_back(last); }

void channel_core::close() {
    claim("channel::close");
    closed_ = true;
    while (waiter* const sender = senders_.front()) sender->wake(outcome::closed);
    while (waiter* const receiver = receivers_.front()) receiver->wake(outcome::closed);
}

void throw_channel_closed() { throw channel_closed{}; }

}  // namespace coir::detail
