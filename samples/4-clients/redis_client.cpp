// An unmodified client library on fibers: hiredis, the C client of Redis, with a redis-server that the sample starts.
//
// asyncio needs a client written for it. coir works with any client that has a non-blocking mode: the client reads and
// writes its descriptor itself, and where it would wait, call coir::io::wait_readable or wait_writable. See `command`.

#include <coir/coir.hpp>

#include "servers/servers.hpp"

#include <hiredis/hiredis.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct freed {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
    void operator()(redisContext* context) const { redisFree(context); }
};
using connection = std::unique_ptr<redisContext, freed>;

void check(const redisContext& c, int result) {
    if (result != REDIS_OK) throw std::runtime_error{std::string{"redis: "} + c.errstr};
}

// Sends a command and waits for its reply. Only one fiber may use a connection at a time.
template <class... A> auto command(redisContext& c, const char* format, A... arguments) {
    redisAppendCommand(&c, format, arguments...);
    for (int sent = 0; check(c, redisBufferWrite(&c, &sent)), sent == 0;) coir::io::wait_writable(c.fd);
    void* reply = nullptr;
    while (check(c, redisGetReply(&c, &reply)), reply == nullptr) {  // no complete reply yet
        coir::io::wait_readable(c.fd);
        check(c, redisBufferRead(&c));
    }
    return std::unique_ptr<redisReply, freed>{static_cast<redisReply*>(reply)};
}

connection connect(const std::string& path) {
    connection made{redisConnectUnixNonBlock(path.c_str())};
    check(*made, made->err == 0 ? REDIS_OK : REDIS_ERR);
    return made;
}

void show(const std::string& path) {
    int ticks = 0;
    auto ticker = coir::spawn([&] {
        for (;; ++ticks) coir::this_fiber::sleep_for(10ms);
    });

    // One connection per fiber: their waits overlap, and the ticker continues.
    const auto began = coir::clock::now();
    coir::gather(std::vector(50, [&] {
        const connection own = connect(path);
        command(*own, "BLPOP empty-list 1");  // blocks in redis for a second, as the list stays empty
    }));
    const double took = std::chrono::duration<double>(coir::clock::now() - began).count();
    std::printf("50 fibers, each waiting 1 s for redis, took %.2f s; one after the other: 50 s\n", took);
    std::printf("meanwhile a fiber that sleeps 10 ms at a time ran %d times\n", ticks);

    // A pool of connections: each fiber receives one from a channel, and sends it back. The other fibers wait; the
    // thread does not.
    coir::channel<connection> pool{10};
    for (int i = 0; i < 10; ++i) pool.send(connect(path));
    coir::gather(std::vector(1000, [&] {
        connection mine = pool.recv().value();
        command(*mine, "INCR counter");
        pool.send(std::move(mine));
    }));
    const connection last = connect(path);
    std::printf("1000 fibers counted on 10 connections, up to %s\n", command(*last, "GET counter")->str);
}

int main() try {
    const server_folder folder{"redis"};
    coir::run([&] {
        const std::string path = folder.path / "socket";
        auto server = start_server(
            {"redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder.path}, "redis-server");
        wait_until_ready(server, [&] { command(*connect(path), "PING"); });
        show(path);
        server.terminate_then_kill(10s);
    });
} catch (const std::exception& error) {
    std::fprintf(stderr, "redis_client: %s\n", error.what());
    return 1;
}
