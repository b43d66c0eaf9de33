// An unmodified client library on fibers: hiredis, the C client of Redis, with a redis-server that the sample starts.
//
// asyncio needs a client written for it. Here any with a non-blocking mode fits: it reads and writes its descriptor
// itself, and where it would have to wait, coir::io::wait_readable or wait_writable does. See `command`.

#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <coir/coir.hpp>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct freed {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
    void operator()(redisContext* context) const { redisFree(context); }
};
using connection = std::unique_ptr<redisContext, freed>;

// Made before coir::run and destroyed after it, since all this blocks the thread.
struct redis_server {
    const std::string path = "/tmp/coir-sample-" + std::to_string(getpid()) + ".sock";
    const pid_t pid = fork();

    redis_server() {
        if (pid == 0) {
            execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path.c_str(), "--save", "",
                   "--logfile", "/dev/null", nullptr);
            _exit(127);
        }
        while (connection(redisConnectUnix(path.c_str()))->err != 0) {  // not yet there
            const bool ended = waitpid(pid, nullptr, WNOHANG) == pid;
            if (ended) throw std::runtime_error{"cannot start redis-server; on Debian: apt install redis-server"};
            usleep(10'000);
        }
    }
    ~redis_server() {
        kill(pid, SIGTERM);
        waitpid(pid, nullptr, 0);
    }
};

void check(const redisContext& c, int result) {
    if (result != REDIS_OK) throw std::runtime_error{std::string{"redis: "} + c.errstr};
}

// Sends a command and waits for its reply. A connection is used by one fiber at a time.
template <class... A> auto command(redisContext& c, const char* format, A... arguments) {
    redisAppendCommand(&c, format, arguments...);
    for (int sent = 0; check(c, redisBufferWrite(&c, &sent)), sent == 0;) coir::io::wait_writable(c.fd);
    void* reply = nullptr;
    while (check(c, redisGetReply(&c, &reply)), reply == nullptr) {  // none has arrived in full
        coir::io::wait_readable(c.fd);
        check(c, redisBufferRead(&c));
    }
    return std::unique_ptr<redisReply, freed>{static_cast<redisReply*>(reply)};
}

void show(const redis_server& server) {
    int ticks = 0;
    auto ticker = coir::spawn([&] {
        for (;; ++ticks) coir::this_fiber::sleep_for(10ms);
    });

    // A connection for each fiber: their waits overlap, and the ticker goes on.
    const auto began = coir::clock::now();
    coir::gather(std::vector(50, [&] {
        const connection own{redisConnectUnixNonBlock(server.path.c_str())};
        command(*own, "BLPOP empty-list 1");  // redis waits for a second, and nothing comes
    }));
    const double took = std::chrono::duration<double>(coir::clock::now() - began).count();
    std::printf("50 fibers, each waiting 1 s for redis, took %.2f s; one after the other: 50 s\n", took);
    std::printf("meanwhile a fiber that sleeps 10 ms at a time ran %d times\n", ticks);

    // Or one connection for all, a command at a time: coir::mutex lets the fibers wait for each other, and no thread.
    const connection shared{redisConnectUnixNonBlock(server.path.c_str())};
    coir::mutex turn;
    coir::gather(std::vector(1000, [&] {
        const std::scoped_lock mine{turn};
        command(*shared, "INCR counter");
    }));
    std::printf("1000 fibers counted on a shared connection, up to %s\n", command(*shared, "GET counter")->str);
}

int main() try {
    const redis_server server;
    coir::run([&server] { show(server); });
} catch (const std::exception& error) {
    std::fprintf(stderr, "third_party_client: %s\n", error.what());
    return 1;
}
