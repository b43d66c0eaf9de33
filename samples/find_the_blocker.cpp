// A small service with five hidden blockers: each of these calls stops the thread, and with it every other fiber. Where
// asyncio's debug mode tells of a slow callback, `blocking-detector run -- find_the_blocker` prints the line, the fiber
// and what to use instead for each of the five, and ends with 66: a failed job in CI.

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

// 1: a client that came with its own retry loop.
void charge_card() {
    std::this_thread::sleep_for(30ms);  // "back off a little"
}

// 2: a request over a socket that nobody has made non-blocking.
std::string ask_warehouse(int connection) {
    std::array<char, 16> answer{};
    const ssize_t bytes = recv(connection, answer.data(), answer.size(), 0);
    return {answer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

// 3: a lock that another thread holds for long.
std::mutex journal;
void write_journal() {
    const std::lock_guard lock{journal};
    std::puts("journal: one more order");
}

// 4: "there is a program for that".
void print_label() {
    if (std::system("sleep 0.05 && echo 'label: printed'") != 0) std::puts("label: no printer");
}

// 5: arithmetic that takes its time.
unsigned long sign(unsigned long order) {
    for (int round = 0; round < 200'000'000; ++round) order = (order ^ order >> 29) * 6364136223846793005U;
    return order;
}

// The rest of the world, on threads of its own: a warehouse that answers late, a thread that keeps the journal.
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
            for (;;) coir::this_fiber::sleep_for(10ms);  // one of those who have to wait
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
