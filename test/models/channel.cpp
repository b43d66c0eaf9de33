#include <coir/sync/channel.hpp>

#include "models/channel_model.hpp"
#include "models/primitive.hpp"
#include "models/token.hpp"

#include <cstddef>
#include <utility>

namespace coir::models {

namespace of_channel {

constexpr operation table[] = {
    {.name = "send", .kind = send, .weight = 5},
    {.name = "send", .kind = send, .limit = 0},
    {.name = "send", .kind = send, .limit = 3, .weight = 2},
    {.name = "send", .kind = send, .limit = 5, .shielded = true},
    {.name = "send", .kind = send, .outer = 3},
    {.name = "try_send", .kind = try_send, .weight = 2},
    {.name = "recv", .kind = recv, .weight = 5},
    {.name = "recv", .kind = recv, .limit = 0},
    {.name = "recv", .kind = recv, .limit = 3, .weight = 2},
    {.name = "recv", .kind = recv, .limit = 5, .shielded = true},
    {.name = "recv", .kind = recv, .outer = 3},
    {.name = "try_recv", .kind = try_recv, .weight = 2},
    {.name = "close", .kind = close, .weight = 2},
    {.name = "send", .kind = send, .delay = 5},
    {.name = "recv", .kind = recv, .delay = 5},
    {.name = "close", .kind = close, .delay = 5},
    {.name = "request_stop", .kind = request_stop, .argument = 0},
    {.name = "request_stop", .kind = request_stop, .argument = 1},
    {.name = "request_stop", .kind = request_stop, .argument = 2},
    {.name = "request_stop", .kind = request_stop, .argument = 1, .delay = 1},
};

class real_channel : public subject {
public:
    explicit real_channel(int capacity) : channel_{static_cast<std::size_t>(capacity)} {}

    [[nodiscard]] int state() const override {
        return static_cast<int>(channel_.size()) * 2 + (channel_.is_closed() ? 1 : 0);
    }

private:
    outcome perform(int fiber, const operation& what) override {
        const deadline until = deadline_of(what.limit);
        switch (what.kind) {
        case send:
            return sources_.send(fiber, [&](token& value) {
                channel_.send(std::move(value), until);
                return true;
            });
        case try_send: return sources_.send(fiber, [&](token& value) { return channel_.try_send(std::move(value)); });
        case recv: return outcome_of(channel_.recv(until));
        case try_recv: return outcome_of(channel_.try_recv());
        default: channel_.close(); return outcome::done;
        }
    }

    channel<token> channel_;
    token_sources sources_;
};

}  // namespace of_channel

const primitive channels{"channel",
                         of_channel::table,
                         3,
                         make_subject<of_channel::real_channel>,
                         make_model<of_channel::channel_model>,
                         of_channel::close};

}  // namespace coir::models
