#include <coir/coir.hpp>
#include <coir/io/io.hpp>
#include <coir/net/resolve.hpp>
#include <coir/net/tcp.hpp>

#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <chrono>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace coir::test {

namespace {

using namespace std::chrono_literals;

void echo_over_loopback() {
    auto server = net::tcp_listener::bind({"127.0.0.1", 0});
    auto serving = spawn([&] {
        auto peer = server.accept();
        std::array<std::byte, 64> buffer;
        while (const auto size = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(size));
    });
    auto client = net::tcp_stream::connect(server.local_endpoint());
    std::array<std::byte, 16> bytes{};
    for (int i = 0; i < 10; ++i) {
        client.write_all(bytes);
        std::ignore = client.read_exactly(bytes);
    }
    client.close();
    serving.join();
}

}  // namespace

table own_waits() {
    return {
        unseen("coir::this_fiber::sleep_for", [] { this_fiber::sleep_for(30ms); }),
        unseen("coir::this_fiber::yield",
               [] {
                   for (int i = 0; i < 100; ++i) this_fiber::yield();
               }),
        unseen("fibers, and joining them",
               [] {
                   for (int i = 0; i < 10; ++i) spawn([] { this_fiber::sleep_for(1ms); }).join();
               }),
        unseen("coir::mutex that another fiber has",
               [] {
                   coir::mutex mutex;
                   auto holder = spawn([&] {
                       const std::lock_guard lock{mutex};
                       this_fiber::sleep_for(10ms);
                   });
                   this_fiber::yield();
                   mutex.lock();
                   mutex.unlock();
                   holder.join();
               }),
        unseen("coir::event",
               [] {
                   event rung;
                   auto ringer = spawn([&] {
                       this_fiber::sleep_for(10ms);
                       rung.set();
                   });
                   rung.wait();
                   ringer.join();
               }),
        unseen("coir::channel",
               [] {
                   channel<int> items{1};
                   auto sender = spawn([&] {
                       for (int i = 0; i < 10; ++i) items.send(i);
                       items.close();
                   });
                   while (items.recv()) {
                   }
                   sender.join();
               }),
        unseen("coir::with_timeout", [] { std::ignore = try_with_timeout(10ms, [] { this_fiber::sleep_for(1h); }); }),
        unseen("coir::gather", [] { gather([] { this_fiber::sleep_for(5ms); }, [] { this_fiber::sleep_for(5ms); }); }),
        unseen("coir::offload of a call that blocks", [] { offload([] { std::this_thread::sleep_for(30ms); }); }),
        unseen("coir::io::wait_readable",
               [](stage& on) {
                   auto& ends = on.keep<two_ends>(pipe_to_read());
                   set_nonblocking(ends.ours.get());
                   on.later([&] { put(ends.theirs.get()); });
                   return [&] { io::wait_readable(ends.ours.get()); };
               }),
        unseen("an echo over the loopback", echo_over_loopback),
        unseen("coir::net::resolve", [] { std::ignore = net::resolve("localhost", "80"); }),
        unseen("a call that is permitted to block",
               [] {
                   const allow_blocking permit{"a test"};
                   std::this_thread::sleep_for(30ms);
               }),
        unseen("a call that blocks another thread",
               [](stage& on) {
                   auto& thread = on.keep<std::thread>();
                   on.finally([&] { thread.join(); });
                   return [&] {
                       thread = std::thread{[] { std::this_thread::sleep_for(30ms); }};
                       this_fiber::sleep_for(40ms);
                   };
               }),
    };
}

}  // namespace coir::test
