#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/compute_for.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::deadline;
namespace io = coir::io;
namespace net = coir::net;

namespace {

/// Calls `wait` with a limit that passes while another fiber holds the thread. That fiber first calls `come`, so what
/// is waited for is there when the scheduler looks at its timers. On a busy machine, `wait` may begin late.
template <class Come, class Wait> void hold_thread_past_limit(Come come, Wait wait) {
    const deadline until{50ms};
    auto other = coir::spawn([&] {
        come();
        while (!until.has_passed()) compute_for(1ms);
    });
    wait(until);
}

std::array<std::byte, 16> room;

}  // namespace

TEST_CASE("deadline: a stream's data that is there before the limit is read") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        hold_thread_past_limit([&far = far] { far.write_all("x"); },
                               [&near = near](deadline until) { CHECK(near.read_some(room, until) == 1); });
        auto [one, two] = net::unix_stream::pair();
        hold_thread_past_limit([&two = two] { two.write_all("x"); },
                               [&one = one](deadline until) { CHECK(one.read_some(room, until) == 1); });
        auto [reader, writer] = io::pipe();
        hold_thread_past_limit([&writer = writer] { writer.write_all("x"); },
                               [&reader = reader](deadline until) { CHECK(reader.read_some(room, until) == 1); });
    });
}

TEST_CASE("deadline: room that is there before the limit is written to") {
    in_scheduler([] {
        auto ends = net::unix_stream::pair();
        auto& one = ends.first;
        auto& two = ends.second;
        std::vector<std::byte> block(1 << 16);
        std::error_code ec;
        while (!ec) one.write_some(block, 1ms, ec);
        hold_thread_past_limit(
            [&] {
                for (std::error_code empty; !empty;) two.read_some(block, 0ms, empty);
            },
            [&](deadline until) { CHECK(one.write_some(block, until) > 0); });
    });
}

TEST_CASE("deadline: a connection, a datagram and a change that are there before the limit are taken") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        net::tcp_stream client;
        hold_thread_past_limit([&] { client = net::tcp_stream::connect(listener.local_endpoint()); },
                               [&](deadline until) { CHECK(listener.accept(until).is_open()); });

        auto near = net::udp_socket::bind({"127.0.0.1", 0});
        auto far = net::udp_socket::bind({"127.0.0.1", 0});
        hold_thread_past_limit([&] { far.send_to("x", near.local_endpoint()); },
                               [&](deadline until) { CHECK(near.receive_from(room, until).bytes.size() == 1); });

        const temporary_folder here;
        io::directory_watch watch{here.path()};
        hold_thread_past_limit([&] { std::ofstream{here.file("new")} << "text"; },
                               [&](deadline until) { CHECK(watch.next(until).name == "new"); });
    });
}

TEST_CASE("deadline: a borrowed descriptor that is ready before the limit is readable") {
    in_scheduler([] {
        int ends[2];
        REQUIRE(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
        const coir::detail::scope_exit at_end{[&] {
            ::close(ends[0]);
            ::close(ends[1]);
        }};
        const auto put = [&] { REQUIRE(::write(ends[1], "x", 1) == 1); };
        hold_thread_past_limit(put, [&](deadline until) { io::wait_readable(ends[0], until); });
        hold_thread_past_limit(put, [&](deadline until) { CHECK(io::read_some(ends[0], room, until) == 2); });
    });
}

TEST_CASE("deadline: a signal, a file's content and a name that are there before the limit are returned") {
    in_scheduler([] {
        coir::signal_set hangup{SIGHUP};
        hold_thread_past_limit([] { ::raise(SIGHUP); }, [&](deadline until) { CHECK(hangup.wait(until) == SIGHUP); });

        const temporary_folder here;
        std::ofstream{here.file("a")} << "text";
        auto file = io::file::open(here.file("a"));
        // Work of the pool, which needs a moment: the scheduler looks when it has certainly been done.
        const auto let_it_be_done = [] { compute_for(200ms); };
        hold_thread_past_limit(let_it_be_done, [&](deadline until) { CHECK(file.read_at(0, room, until) == 4); });
        hold_thread_past_limit(let_it_be_done,
                               [](deadline until) { CHECK_FALSE(net::resolve("localhost", "80", until).empty()); });
    });
}

TEST_CASE("deadline: a scope lets a read return that had data before the scope expired") {
    in_scheduler([] {
        auto [one, two] = net::unix_stream::pair();
        hold_thread_past_limit([&two = two] { two.write_all("x"); },
                               [&one = one](deadline until) {
                                   CHECK(coir::with_timeout(until, [&] { return one.read_some(room); }) == 1);
                               });
    });
}

TEST_CASE("deadline: more descriptors than one poll reports are all looked at before scopes expire") {
    in_scheduler([] {
        constexpr int connections = 400;
        std::vector<std::pair<net::unix_stream, net::unix_stream>> pairs;
        for (int i = 0; i < connections; ++i) pairs.push_back(net::unix_stream::pair());
        const deadline soon = 1s;  // until then, all must wait, also in a slow build
        int answered = 0;
        coir::task_group readers;
        for (auto& each : pairs) {
            readers.spawn(
                [&] { answered += coir::try_with_timeout(soon, [&] { return each.first.read_some(room); }) == 1; });
        }
        coir::this_fiber::yield();
        for (auto& each : pairs) each.second.write_all("x");
        compute_for(1010ms);
        readers.wait();
        CHECK(answered == connections);
    });
}

TEST_CASE("deadline: a limit of 0 polls once") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        auto listener = listen_on_loopback();
        auto socket = net::udp_socket::bind({"127.0.0.1", 0});
        std::error_code ec;
        // Each call finds nothing first, so that the next one has no reason to try without asking the kernel.
        CHECK(near.read_some(room, 0ms, ec) == 0);
        CHECK(ec == std::errc::timed_out);
        far.write_all("x");
        CHECK(near.read_some(room, 0ms, ec) == 1);

        CHECK_FALSE(listener.accept(0ms, ec).is_open());
        CHECK(ec == std::errc::timed_out);
        auto client = net::tcp_stream::connect(listener.local_endpoint(), 0ms);
        CHECK(listener.accept(0ms, ec).is_open());

        CHECK(socket.receive_from(room, 0ms, ec).bytes.empty());
        CHECK(ec == std::errc::timed_out);
        socket.send_to("x", socket.local_endpoint());
        CHECK(socket.receive_from(room, 0ms, ec).bytes.size() == 1);
        CHECK_FALSE(ec);

        int ends[2];
        REQUIRE(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
        io::wait_readable(ends[0], 0ms, ec);
        CHECK(ec == std::errc::timed_out);
        io::wait_writable(ends[1], 0ms, ec);
        CHECK_FALSE(ec);
        REQUIRE(::write(ends[1], "x", 1) == 1);
        io::wait_readable(ends[0], 0ms, ec);
        CHECK_FALSE(ec);
        ::close(ends[0]);
        ::close(ends[1]);
    });
}

TEST_CASE("deadline: a limit of 0 finds names of this machine, and asks no name server") {
    in_scheduler([] {
        for (int i = 0; i < 20; ++i) {
            CHECK_FALSE(net::resolve("localhost", "80", 0ms).empty());
            CHECK(net::resolve("127.1", "80", 0ms) == std::vector{net::endpoint{"127.0.0.1", 80}});
        }
        std::error_code ec;
        CHECK(net::resolve("name.invalid", "80", 0ms, ec).empty());
        CHECK(ec == std::errc::timed_out);
        auto listener = listen_on_loopback();
        CHECK(net::tcp_stream::connect("127.1", listener.local_endpoint().port(), 0ms, ec).is_open());
    });
}

TEST_CASE("deadline: with a limit of 0, an operation on a file that a thread has done is a result") {
    in_scheduler([] {
        const temporary_folder here;
        std::ofstream{here.file("a")} << "text";
        auto file = io::file::open(here.file("a"));
        auto other = coir::spawn([] { compute_for(200ms); });
        CHECK(file.read_at(0, room, 0ms) == 4);
        other = coir::spawn([] { compute_for(200ms); });
        CHECK(io::read_file(here.file("a"), 0ms) == "text");
    });
}

TEST_CASE("deadline: a descriptor that counts as ready but has nothing to read does not outlast the limit") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        REQUIRE(::send(far.native_handle(), "!", 1, MSG_OOB) == 1);  // an urgent byte: EPOLLPRI, and recv says EAGAIN
        std::error_code ec;
        near.read_some(room, 20ms, ec);
        CHECK(ec == std::errc::timed_out);
        io::read_some(near.native_handle(), room, 20ms, ec);
        CHECK(ec == std::errc::timed_out);
    });
}

TEST_CASE("deadline: a datagram to a full queue is sent when there is room before the limit") {
    in_scheduler([] {
        const temporary_folder here;
        auto from = net::unix_datagram::bind(here.file("from"));
        auto to = net::unix_datagram::bind(here.file("to"));
        std::error_code ec;
        const auto letter = std::span{room}.first(1);
        while (!ec) from.send_to(letter, to.local_endpoint(), 0ms, ec);
        CHECK(ec == std::errc::timed_out);
        hold_thread_past_limit([&] { CHECK(to.receive_from(room).bytes.size() == 1); },
                               [&](deadline until) { from.send_to("x", to.local_endpoint(), until); });
    });
}
