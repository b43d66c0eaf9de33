#include <coir/sync/channel.hpp>
#include <coir/sync/select.hpp>

#include "models/primitive.hpp"
#include "models/select_model.hpp"
#include "models/token.hpp"

#include <array>
#include <cstddef>
#include <optional>

namespace coir::models {

// Waits for one of two channels.
namespace of_select {

constexpr operation table[] = {
    {.name = "select {recv 0}", .kind = select_from, .argument = recv_0, .weight = 2},
    {.name = "select {recv 1}", .kind = select_from, .limit = 3, .argument = recv_1},
    {.name = "select {send 0}", .kind = select_from, .argument = send_0, .weight = 2},
    {.name = "select {send 1}", .kind = select_from, .limit = 3, .argument = send_1},
    {.name = "select {recv 0, recv 1}", .kind = select_from, .argument = recv_0 | recv_1, .weight = 2},
    {.name = "select {recv 0, recv 1}", .kind = select_from, .limit = 3, .argument = recv_0 | recv_1},
    {.name = "select {send 0, send 1}", .kind = select_from, .limit = 5, .argument = send_0 | send_1},
    {.name = "select {recv 0, send 1}", .kind = select_from, .argument = recv_0 | send_1, .weight = 2},
    {.name = "select {recv 1, send 0}", .kind = select_from, .limit = 5, .argument = recv_1 | send_0},
    {.name = "select {recv 0, send 0}", .kind = select_from, .argument = recv_0 | send_0, .weight = 2},
    {.name = "select {recv 0, send 0}", .kind = select_from, .argument = recv_0 | send_0, .outer = 3},
    {.name = "select {all}", .kind = select_from, .limit = 3, .argument = 15, .weight = 2},
    {.name = "select {all}", .kind = select_from, .limit = 0, .argument = 15},
    {.name = "select {all}", .kind = select_from, .limit = 3, .argument = 15, .shielded = true},
    {.name = "select {recv 0, recv 1, otherwise}", .kind = select_otherwise, .argument = recv_0 | recv_1},
    {.name = "select {send 0, send 1, otherwise}", .kind = select_otherwise, .argument = send_0 | send_1},
    {.name = "close 0", .kind = close, .argument = 0},
    {.name = "close 1", .kind = close, .argument = 1},
    {.name = "select {send 0}", .kind = select_from, .argument = send_0, .delay = 5},
    {.name = "select {recv 1}", .kind = select_from, .argument = recv_1, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0},
    {.name = "request_stop", .kind = request_stop, .argument = 1},
    {.name = "request_stop", .kind = request_stop, .argument = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .delay = 1},
};

class real_select : public subject {
public:
    explicit real_select(int capacities)
        : channels_{channel<token>{static_cast<std::size_t>(capacities % 2)},
                    channel<token>{static_cast<std::size_t>(capacities / 2)}} {}

    [[nodiscard]] int state() const override { return static_cast<int>(channels_[0].size() * 2 + channels_[1].size()); }

private:
    outcome perform(int fiber, const operation& what) override {
        const auto receive = [&](int i) {
            return on_recv(channels_[index(i)],
                           [i](std::optional<token> got) { return got ? received(i, got->value()) : received_end(i); });
        };
        const auto send = [&](int i) {
            int& number = sent_[index(fiber)];
            return on_send(channels_[index(i)], token{value_of(fiber, number)}, [i, &number] {
                ++number;
                return sent_to(i);
            });
        };
        const auto none = [] { return otherwise([] { return otherwise_ran; }); };
        const auto late = [&] { return on_timeout(deadline_of(what.limit), [] { return outcome::refused; }); };
        if (what.kind == select_otherwise)
            return what.argument == (recv_0 | recv_1) ? select(receive(0), receive(1), none())
                                                      : select(send(0), none(), send(1));
        if (what.kind == close) {
            channels_[index(what.argument)].close();
            return outcome::done;
        }
        switch (what.argument) {
        case recv_0: return select(receive(0));
        case recv_1: return select(receive(1), late());
        case send_0: return select(send(0));
        case send_1: return select(send(1), late());
        case recv_0 | recv_1: return select(receive(0), receive(1), late());
        case send_0 | send_1: return select(send(0), send(1), late());
        case recv_0 | send_1: return select(receive(0), send(1), late());
        case recv_1 | send_0: return select(late(), receive(1), send(0));
        case recv_0 | send_0: return select(receive(0), send(0), late());
        default: return select(receive(0), receive(1), send(0), late(), send(1));
        }
    }

    std::array<channel<token>, 2> channels_;
    std::array<int, fibers> sent_{};
};

}  // namespace of_select

const primitive selects{
    "select",        of_select::table, 4, make_subject<of_select::real_select>, make_model<of_select::select_model>,
    of_select::close};

}  // namespace coir::models
