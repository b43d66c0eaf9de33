// A small service with five hidden blocking calls: each of them blocks the thread, and so delays every other fiber.
// asyncio's debug mode reports a slow callback; `blocking-detector run -- find_the_blocker` prints the line, the fiber
// and the replacement for each of the five, and exits with status 66, which fails a CI job.

#include <coir/coir.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <semaphore>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

// 1: a client with its own retry loop.
void charge_card() {
    std::this_thread::sleep_for(30ms);  // "back off a little"
}

// 2: a request over a blocking socket.
std::string ask_warehouse(int connection) {
    std::array<char, 16> answer{};
    const ssize_t bytes = recv(connection, answer.data(), answer.size(), 0);
    return {answer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

// 3: a lock that another thread holds for a long time.
std::mutex journal;
void write_journal() {
    const std::lock_guard lock{journal};
    std::puts("journal: one more order");
}

// 4: an external program.
void print_label() {
    if (std::system("sleep 0.05 && echo 'label: printed'") != 0) std::puts("label: no printer");
}

// 5: a long computation.
unsigned long sign(unsigned long order) {
    for (int round = 0; round < 200'000'000; ++round) order = (order ^ order >> 29) * 6364136223846793005U;
    return order;
}

// The environment of the service, on its own threads: a warehouse that answers late, a thread that holds the journal.
class outside_world {
public:
    outside_world() {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()) != 0) std::abort();
        std::binary_semaphore locked{0};
        keeper_ = std::jthread{[&locked] {
            const std::lock_guard lock{journal};
            locked.release();
            std::this_thread::sleep_for(250ms);
        }};
        locked.acquire();
        warehouse_ = std::jthread{[this] {
            std::this_thread::sleep_for(120ms);
            if (write(ends_[1], "3 left", 6) != 6) std::abort();
        }};
    }
    ~outside_world() {
        warehouse_.join();
        for (const int end : ends_) close(end);
    }
    int warehouse() const { return ends_[0]; }

private:
    std::array<int, 2> ends_{};
    std::jthread keeper_;
    std::jthread warehouse_;
};

}  // namespace

int main() {
    const outside_world world;
    coir::run([&] {
        auto heartbeat = coir::spawn({.name = "heartbeat"}, [] {
            for (;;) coir::this_fiber::sleep_for(10ms);  // a fiber that the blocking calls delay
        });
        coir::task_group orders;
        orders.spawn({.name = "payment"}, charge_card);
        orders.spawn({.name = "stock"}, [&] { std::printf("stock: %s\n", ask_warehouse(world.warehouse()).c_str()); });
        orders.spawn({.name = "journal"}, write_journal);
        orders.spawn({.name = "shipping"}, print_label);
        orders.spawn({.name = "signature"}, [] { std::printf("signature: %lx\n", sign(42)); });
        orders.wait();
    });
}
