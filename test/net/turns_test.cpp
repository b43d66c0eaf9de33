#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
namespace io = coir::io;
namespace net = coir::net;

namespace {

/// README: between two looks at the timers there are at most 256 resumes and operations that need not wait, and 256
/// posted calls. The timer's fiber runs in the round after the look.
constexpr int most = 512;

/// A fiber that each look at the timers wakes.
class look_counter {
public:
    void count() { most_ = std::max(most_, ++since_last_); }
    [[nodiscard]] int looks() const noexcept { return looks_; }
    [[nodiscard]] int most_between_looks() const noexcept { return most_; }

private:
    int since_last_ = 0;
    int most_ = 0;
    int looks_ = 0;
    coir::fiber<void> ticker_ = coir::spawn([this] {
        for (;;) {
            coir::this_fiber::sleep_for(0s);
            since_last_ = 0;
            ++looks_;
        }
    });
};

/// Calls `operation`, which never has to wait, many times.
template <class F> void leaves_turns(const char* source, int times, F operation) {
    CAPTURE(source);
    look_counter counter;
    for (int i = 0; i < times; ++i) {
        operation();
        counter.count();
    }
    CHECK(counter.most_between_looks() <= most);
    CHECK(counter.looks() >= times / most);
}

std::array<std::byte, 1> byte;

}  // namespace

TEST_CASE("turns: a source that is always ready leaves timers their turn: synchronisation") {
    in_scheduler([] {
        coir::channel<int> channel{1};
        leaves_turns("channel", 5'000, [&] {
            channel.send(1);
            channel.recv();
        });
        coir::concurrent_channel<int> shared{1};
        leaves_turns("concurrent_channel", 5'000, [&] {
            shared.send(1);
            shared.recv();
        });
        coir::event event;
        event.set();
        leaves_turns("event", 5'000, [&] { event.wait(); });
        coir::latch latch{0};
        leaves_turns("latch", 5'000, [&] { latch.wait(); });
        coir::barrier<> barrier{1};
        leaves_turns("barrier", 5'000, [&] { barrier.arrive_and_wait(); });
        coir::task_group group;
        leaves_turns("task_group", 5'000, [&] { group.wait(); });
        coir::channel<int> closed;
        closed.close();
        leaves_turns("select", 5'000, [&] { coir::select(coir::on_recv(closed, [](auto) {})); });
        leaves_turns("closed channel", 5'000, [&] { closed.recv(); });
        leaves_turns("select with a timeout that has passed", 5'000,
                     [] { coir::select(coir::on_timeout(-1s, [] {})); });
        coir::signal_set hangup{SIGHUP};
        leaves_turns("signal_set", 2'000, [&] {
            ::raise(SIGHUP);
            hangup.wait();
        });
    });
}

TEST_CASE("turns: a source that is always ready leaves timers their turn: input and output") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        const std::vector<std::byte> many(5'000, std::byte{'\n'});
        ends.far.write_all(many);
        leaves_turns("read", 2'000, [&] { CHECK(near.read_some(byte) == 1); });
        leaves_turns("wait_readable", 2'000, [&] { io::wait_readable(near.native_handle()); });
        leaves_turns("wait_writable", 2'000, [&] { io::wait_writable(near.native_handle()); });
        leaves_turns("read of a borrowed one", 500, [&] { CHECK(io::read_some(near.native_handle(), byte) == 1); });
        io::buffered_reader lines{near};
        leaves_turns("read_line", 2'000, [&] { CHECK(lines.read_line()->empty()); });

        auto both = io::pipe();
        auto& reader = both.first;
        auto& writer = both.second;
        leaves_turns("pipe", 2'000, [&] {
            CHECK(writer.write_some(byte) == 1);
            CHECK(reader.read_some(byte) == 1);
        });

        auto socket = net::udp_socket::bind({"127.0.0.1", 0});
        leaves_turns("udp", 2'000, [&] {
            socket.send_to("x", socket.local_endpoint());
            static_cast<void>(socket.receive_from(byte));
        });

        auto listener = listen_on_loopback();
        std::vector<net::tcp_stream> clients;
        for (int i = 0; i < 600; ++i) clients.push_back(net::tcp_stream::connect(listener.local_endpoint()));
        leaves_turns("accept", 600, [&] { clients.push_back(listener.accept()); });

        const temporary_folder here;
        io::directory_watch watch{here.path()};
        for (int i = 0; i < 500; ++i) std::ofstream{here.file(std::to_string(i))} << "text";
        leaves_turns("directory_watch", 1'500, [&] { static_cast<void>(watch.next()); });
    });
}

TEST_CASE("turns: a flood of posts leaves timers and fibers their turn") {
    in_scheduler([] {
        constexpr int calls = 200'000;
        look_counter counter;
        int ran = 0;
        const auto here = coir::this_scheduler();
        std::thread poster{[&] {
            for (int i = 0; i < calls; ++i) {
                here.post([&] {
                    ++ran;
                    counter.count();
                });
            }
        }};
        while (ran < calls) coir::this_fiber::yield();
        poster.join();
        CHECK(counter.most_between_looks() <= most);
    });
}

TEST_CASE("turns: posted calls do not pile up before fibers that yield") {
    in_scheduler([] {
        // All are in the inbox before the first one is delivered.
        constexpr int calls = 20'000;
        const auto here = coir::this_scheduler();
        int ran = 0, most_at_once = 0;
        std::thread{[&] {
            for (int i = 0; i < calls; ++i) here.post([&] { ++ran; });
        }}.join();
        int before = 0;
        while (before < calls) {
            coir::this_fiber::yield();
            most_at_once = std::max(most_at_once, ran - before);
            before = ran;
        }
        CHECK(most_at_once <= 256);
    });
}

TEST_CASE("turns: what another thread sends wakes a fiber before the calls that were posted earlier run") {
    in_scheduler([] {
        constexpr int calls = 20'000;
        coir::concurrent_channel<int> values{1};
        int left = calls, left_when_woken = 0;
        auto receiver = coir::spawn([&] {
            values.recv();
            left_when_woken = left;
        });
        coir::this_fiber::yield();
        const auto here = coir::this_scheduler();
        std::thread{[&] {
            for (int i = 0; i < calls; ++i) here.post([&] { --left; });
            values.send(1);
        }}.join();
        receiver.join();
        CHECK(left_when_woken >= calls - most);
        while (left > 0) coir::this_fiber::yield();
    });
}
