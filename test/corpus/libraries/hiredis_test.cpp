#include "corpus/judge.hpp"
#include "corpus/props.hpp"

#include <doctest/doctest.h>
#include <hiredis/hiredis.h>

#include <memory>

namespace coir::test {

TEST_CASE("corpus: waits in hiredis are reported") {
    judge({
        blocked("redisCommand", blocking_class::network, {"read", "recv", "recvfrom"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    auto& client = on.keep<std::unique_ptr<redisContext, void (*)(redisContext*)>>(
                        ::redisConnect("127.0.0.1", server.port()), ::redisFree);
                    on.later([&] { answer(server, "+PONG\r\n", connection); });
                    return [&] { ::freeReplyObject(::redisCommand(client.get(), "PING")); };
                }),
        blocked("redisConnect and redisCommand with limits in time", blocking_class::network,
                {"read", "recv", "recvfrom"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    on.later([&] { answer(server, "+PONG\r\n", connection); });
                    return [&] {
                        redisContext* const client = ::redisConnectWithTimeout("127.0.0.1", server.port(), {5, 0});
                        ::redisSetTimeout(client, {5, 0});
                        ::freeReplyObject(::redisCommand(client, "PING"));
                        ::redisFree(client);
                    };
                }),
    });
}

}  // namespace coir::test
