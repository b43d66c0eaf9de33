#include <coir/coir.hpp>
#include <coir/detail/base/throw_if.hpp>

#include "net/loopback.hpp"
#include "support/captured_log.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

namespace {

void echo(tcp_stream peer) {
    std::array<std::byte, 4096> buffer;
    while (const std::size_t n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
}

/// Uses up all free descriptors of the process.
class no_descriptors {
public:
    no_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int next = ::dup(0);
        ::close(next);
        rlimit none = before_;
        none.rlim_cur = static_cast<rlim_t>(next);
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("tcp_listener: port 0 selects a free port, which local_endpoint returns") {
    const auto listener = tcp_listener::bind({"127.0.0.1", 0});
    CHECK(listener.local_endpoint().address() == "127.0.0.1");
    CHECK(listener.local_endpoint().port() != 0);
}

TEST_CASE("tcp_listener: a port in use is refused, and the error names it") {
    const auto listener = tcp_listener::bind({"127.0.0.1", 0});
    const auto taken = listener.local_endpoint();
    try {
        static_cast<void>(tcp_listener::bind(taken));
        FAIL("bound");
    } catch (const std::system_error& failure) {
        CHECK(failure.code() == std::errc::address_in_use);
        CHECK(std::string{failure.what()}.find(taken.to_string()) != std::string::npos);
    }
    std::error_code ec;
    CHECK_FALSE(tcp_listener::bind(taken, {}, ec).is_open());
    CHECK(ec == std::errc::address_in_use);
}

TEST_CASE("tcp_listener: a port can be shared on request") {
    const auto first = tcp_listener::bind({"127.0.0.1", 0}, {.reuse_port = true});
    CHECK(tcp_listener::bind(first.local_endpoint(), {.reuse_port = true}).is_open());
}

TEST_CASE("tcp_listener: a port is free again at once when its listener is closed, with or without connections") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        const auto at = listener.local_endpoint();
        auto near = tcp_stream::connect(at);
        auto far = listener.accept();
        listener.close();
        far.close();
        CHECK(read_text(near).empty());
        CHECK(tcp_listener::bind(at).is_open());
    });
}

TEST_CASE("tcp_listener: supports IPv6") {
    in_scheduler([] {
        auto listener = tcp_listener::bind({"::1", 0});
        auto near = tcp_stream::connect(listener.local_endpoint());
        auto far = listener.accept();
        CHECK(far.remote_endpoint() == near.local_endpoint());
        CHECK(far.remote_endpoint().is_v6());
    });
}

TEST_CASE("tcp_listener: accept waits for a connection") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        auto accepting = coir::spawn([&] { return listener.accept().remote_endpoint(); });
        coir::this_fiber::yield();
        CHECK_FALSE(accepting.done());
        auto near = tcp_stream::connect(listener.local_endpoint());
        CHECK(accepting.get() == near.local_endpoint());
    });
}

TEST_CASE("tcp_listener: several fibers may accept, each gets its own connection") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        int accepted = 0;
        coir::task_group group;
        for (int i = 0; i < 3; ++i) {
            group.spawn([&] {
                auto peer = listener.accept();
                ++accepted;
            });
        }
        coir::this_fiber::yield();
        std::vector<tcp_stream> nears;
        for (int i = 0; i < 3; ++i) nears.push_back(tcp_stream::connect(listener.local_endpoint()));
        group.wait();
        CHECK(accepted == 3);
    });
}

TEST_CASE("tcp_listener: accept ends at its deadline, with a stop, and with close") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        CHECK_THROWS_AS(static_cast<void>(listener.accept(1ms)), coir::timed_out);
        auto stopped = coir::spawn([&] { static_cast<void>(listener.accept()); });
        auto ended = coir::spawn([&] {
            std::error_code ec;
            CHECK_FALSE(listener.accept(coir::never, ec).is_open());
            return ec;
        });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        listener.close();
        CHECK(ended.get() == std::errc::operation_canceled);
        std::error_code ec;
        static_cast<void>(listener.accept(coir::never, ec));
        CHECK(ec == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("tcp_listener: without a free descriptor accept reports it, and works again later") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        auto near = tcp_stream::connect(listener.local_endpoint());
        coir::this_fiber::yield();
        std::error_code ec;
        {
            const no_descriptors now;
            static_cast<void>(listener.accept(coir::never, ec));
        }
        CHECK(ec == std::errc::too_many_files_open);
        CHECK(listener.accept(1s).is_open());
    });
}

// ---- serve -------------------------------------------------------------------------------------------------------

TEST_CASE("serve: a hundred concurrent connections, each in its own fiber") {
    in_scheduler([] {
        constexpr int connections = 100;
        constexpr int requests = 20;
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] { listener.serve(echo); });
        int answered = 0;
        coir::task_group clients;
        for (int c = 0; c < connections; ++c) {
            clients.spawn([&, c] {
                auto stream = tcp_stream::connect(listener.local_endpoint());
                for (int r = 0; r < requests; ++r) {
                    const std::string question = "client " + std::to_string(c) + " request " + std::to_string(r);
                    stream.write_all(question);
                    std::string answer(question.size(), ' ');
                    REQUIRE(stream.read_exactly(std::as_writable_bytes(std::span{answer})) == answer.size());
                    if (answer == question) ++answered;
                }
            });
        }
        clients.wait();
        CHECK(answered == connections * requests);
    });
}

TEST_CASE("serve: when stopped, it stops its connections and waits for them") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        int ended = 0;
        auto server = coir::spawn([&] {
            listener.serve([&](tcp_stream peer) {
                struct count {
                    int& at;
                    ~count() { ++at; }
                } const counted{ended};
                echo(std::move(peer));
            });
        });
        auto first = tcp_stream::connect(listener.local_endpoint());
        auto second = tcp_stream::connect(listener.local_endpoint());
        first.write_all("x");
        second.write_all("y");
        CHECK(read_text(first) == "x");
        CHECK(read_text(second) == "y");
        server.request_stop();
        server.join();
        CHECK(ended == 2);
        CHECK(read_text(first).empty());
    });
}

TEST_CASE("serve: when its listener is closed, it waits until the connections have ended, and returns") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] { listener.serve(echo); });
        auto stream = tcp_stream::connect(listener.local_endpoint());
        stream.write_all("a");
        CHECK(read_text(stream) == "a");
        listener.close();
        stream.write_all("b");
        CHECK(read_text(stream) == "b");
        CHECK_FALSE(server.done());
        stream.close();
        server.get();
    });
}

TEST_CASE("serve: throws on a closed listener, and at its deadline") {
    in_scheduler([] {
        tcp_listener closed;
        CHECK_THROWS_AS(closed.serve(echo), std::system_error);
        auto listener = listen_on_loopback();
        CHECK_THROWS_AS(listener.serve(echo, 1ms), coir::timed_out);
    });
}

TEST_CASE("serve: an exception of a handler ends its own connection, and is reported") {
    std::vector<std::string> reported;
    coir::run_options options;
    options.on_unhandled_exception = [&](std::exception_ptr failure, std::string_view) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& what) {
            reported.emplace_back(what.what());
        } catch (int number) {
            reported.push_back(std::to_string(number));
        }
    };
    coir::run(options, [] {
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] {
            listener.serve([](tcp_stream peer) {
                const std::string request = read_text(peer);
                if (request == "throw") throw std::runtime_error{"a bug"};
                if (request == "throw 42") throw 42;
                if (request == "reset") throw std::system_error{std::make_error_code(std::errc::connection_reset)};
                peer.write_all(request);
            });
        });
        for (const char* request : {"throw", "throw 42", "reset"}) {
            auto stream = tcp_stream::connect(listener.local_endpoint());
            stream.write_all(request);
            CHECK(read_text(stream).empty());
        }
        auto stream = tcp_stream::connect(listener.local_endpoint());
        stream.write_all("fine");
        CHECK(read_text(stream) == "fine");
    });
    CHECK(reported == std::vector<std::string>{"a bug", "42"});
}

TEST_CASE("serve: names each fiber after its peer") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        std::string name;
        auto server = coir::spawn([&] { listener.serve([&](tcp_stream) { name = coir::this_fiber::name(); }); });
        auto stream = tcp_stream::connect(listener.local_endpoint());
        CHECK(read_text(stream).empty());
        CHECK(name == stream.local_endpoint().to_string());
    });
}

TEST_CASE("serve: without descriptors it retries with a timer, logs it once, and continues") {
    const captured_log log;
    in_scheduler([] {
        auto listener = listen_on_loopback();
        auto stream = tcp_stream::connect(listener.local_endpoint());
        auto server = coir::spawn([&] { listener.serve(echo); });
        {
            const no_descriptors now;
            coir::this_fiber::sleep_for(120ms);
        }
        stream.write_all("at last");
        CHECK(read_text(stream) == "at last");
    });
    CHECK(log.count("tcp_listener::serve") == 1);
    CHECK(log.count("[warning]") == 1);
}

TEST_CASE("serve: the number of concurrent connections is limited, and further ones are accepted later") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] { listener.serve(coir::limit{2}, echo); });
        const auto at = listener.local_endpoint();
        std::vector<tcp_stream> served;
        for (int i = 0; i < 2; ++i) {
            served.push_back(tcp_stream::connect(at));
            served.back().write_all("a");
            CHECK(read_text(served.back()) == "a");
        }
        auto third = tcp_stream::connect(at);  // completed by the kernel, not yet accepted
        third.write_all("b");
        CHECK_THROWS_AS(read_text(third, 20ms), coir::timed_out);
        served.pop_back();
        CHECK(read_text(third) == "b");
        CHECK_THROWS_AS(listener.serve(coir::limit{2}, echo, 1ms), coir::timed_out);
    });
}

TEST_CASE("serve: at its limit, it ends at its deadline and with a stop") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] { listener.serve(coir::limit{1}, echo, 50ms); });
        auto held = tcp_stream::connect(listener.local_endpoint());
        held.write_all("a");
        CHECK(read_text(held) == "a");
        CHECK_THROWS_AS(server.get(), coir::timed_out);
        CHECK(read_text(held).empty());

        auto stopped = coir::spawn([&] { listener.serve(coir::limit{1}, echo); });
        auto other = tcp_stream::connect(listener.local_endpoint());
        other.write_all("a");
        CHECK(read_text(other) == "a");
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
    });
}

// ---- shared with other processes ---------------------------------------------------------------------------------

TEST_CASE("tcp_listener: adopts a socket that another listener released, or that was passed by another process") {
    in_scheduler([] {
        auto bound = listen_on_loopback();
        const auto at = bound.local_endpoint();
        auto adopted = tcp_listener::adopt(bound.release());
        CHECK(adopted.local_endpoint() == at);
        auto early = tcp_stream::connect(at);
        auto server = coir::spawn([&] { adopted.serve(echo); });
        for (int i = 0; i < 3; ++i) {
            auto stream = tcp_stream::connect(at);
            stream.write_all("a");
            CHECK(read_text(stream) == "a");
            coir::this_fiber::yield();
        }
        early.write_all("b");
        CHECK(read_text(early) == "b");
    });
}

TEST_CASE("tcp_listener: an adopted socket becomes non-blocking and close-on-exec") {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::listen(fd, 1) == 0);
    const auto adopted = tcp_listener::adopt(fd);
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("tcp_listener: a descriptor that is no listening TCP socket is not adopted, and the error names it") {
    const int closed = ::dup(0);
    ::close(closed);
    CHECK_THROWS_AS(static_cast<void>(tcp_listener::adopt(closed)), std::system_error);
    for (const int family : {AF_INET, AF_UNIX}) {
        const int fd = ::socket(family, SOCK_STREAM, 0);
        if (family == AF_UNIX) ::listen(fd, 1);
        const std::string name = "tcp_listener::adopt of descriptor " + std::to_string(fd);
        try {
            static_cast<void>(tcp_listener::adopt(fd));
            FAIL("adopted");
        } catch (const std::system_error& refused) {
            CHECK(refused.code() == std::errc::invalid_argument);
            CHECK(std::string{refused.what()}.starts_with(name));
        }
        ::close(fd);
    }
}

TEST_CASE("tcp_listener: waits on an adopted socket end with a stop, a deadline and close, and can be repeated") {
    in_scheduler([] {
        auto listener = tcp_listener::adopt(listen_on_loopback().release());
        auto stopped = coir::spawn([&] { static_cast<void>(listener.accept()); });
        auto waits = coir::spawn([&] { return listener.accept().is_open(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        stopped.join();
        CHECK_THROWS_AS(static_cast<void>(listener.accept(1ms)), coir::timed_out);
        auto stream = tcp_stream::connect(listener.local_endpoint());
        CHECK(waits.get());
        auto closed = coir::spawn([&] { static_cast<void>(listener.accept()); });
        coir::this_fiber::yield();
        listener.close();
        CHECK_THROWS_AS(closed.get(), std::system_error);
    });
}

TEST_CASE("tcp_listener: wait_readable works with an adopted socket") {
    in_scheduler([] {
        auto listener = tcp_listener::adopt(listen_on_loopback().release());
        CHECK_THROWS_AS(static_cast<void>(listener.accept(1ms)), coir::timed_out);
        auto waits = coir::spawn([&] { coir::io::wait_readable(listener.native_handle()); });
        coir::this_fiber::yield();
        auto stream = tcp_stream::connect(listener.local_endpoint());
        waits.get();
        CHECK(listener.accept().is_open());
    });
}

TEST_CASE("serve: of two servers on one socket, the one at its limit leaves connections to the other") {
    in_scheduler([] {
        auto bound = listen_on_loopback();
        const auto at = bound.local_endpoint();
        auto limited = tcp_listener::adopt(::dup(bound.native_handle()));
        auto other = tcp_listener::adopt(bound.release());
        coir::event goes_on;
        bool is_full = false;
        auto at_limit = coir::spawn([&] {
            limited.serve(coir::limit{1}, [&](tcp_stream peer) {
                is_full = true;
                goes_on.wait();
                echo(std::move(peer));
            });
        });
        std::vector<tcp_stream> streams;
        while (!is_full) {
            streams.push_back(tcp_stream::connect(at));
            coir::this_fiber::sleep_for(1ms);
        }
        auto unlimited = coir::spawn([&] { other.serve(echo); });
        for (int i = 0; i < 10; ++i) {
            auto stream = tcp_stream::connect(at);
            stream.write_all("a");
            CHECK(read_text(stream) == "a");
        }
        goes_on.set();
    });
}

TEST_CASE("serve: schedulers that share a socket take turns") {
    auto bound = listen_on_loopback();
    const auto at = bound.local_endpoint();
    std::atomic<int> served[2] = {0, 0};
    std::vector<std::thread> threads;
    for (auto& each : served) {
        threads.emplace_back([&each, fd = ::dup(bound.native_handle())] {
            coir::run([&] {
                auto listener = tcp_listener::adopt(fd);
                listener.serve([&](tcp_stream peer) {
                    ++each;
                    peer.write_all("a");
                    std::array<std::byte, 1> last;
                    if (peer.read_some(last) == 1) listener.close();
                });
            });
        });
    }
    in_scheduler([&] {
        // Connects one after the other: if always the same scheduler were woken, it would get all of them.
        while (served[0] == 0 || served[1] == 0) {
            auto stream = tcp_stream::connect(at);
            CHECK(read_text(stream) == "a");
        }
        for (int i = 0; i < 2; ++i) {
            auto stream = tcp_stream::connect(at);
            CHECK(read_text(stream) == "a");
            stream.write_all("z");
            // Wait until this scheduler has closed its listener, so that the next connection goes to the other one.
            std::array<std::byte, 1> end;
            CHECK(stream.read_some(end) == 0);
        }
    });
    for (auto& each : threads) each.join();
}

TEST_CASE("serve: drain accepts the connections in the backlog, closes the listener, and returns when they have "
          "ended") {
    in_scheduler([] {
        for (const bool is_shared : {false, true}) {
            auto listener = is_shared ? tcp_listener::adopt(listen_on_loopback().release()) : listen_on_loopback();
            const auto at = listener.local_endpoint();
            auto server = coir::spawn([&] { listener.serve(echo); });
            coir::this_fiber::yield();
            auto first = tcp_stream::connect(at);
            auto second = tcp_stream::connect(at);
            listener.drain();  // before serve has accepted them
            first.write_all("a");
            CHECK(read_text(first) == "a");
            CHECK_FALSE(listener.is_open());
            second.write_all("b");
            CHECK(read_text(second) == "b");
            std::error_code ec;
            auto late = tcp_stream::connect(at, coir::never, ec);
            CHECK(ec == std::errc::connection_refused);
            CHECK_FALSE(server.done());
            first.close();
            second.close();
            server.get();
        }
    });
}

TEST_CASE("serve: drain is not lost while accept yields, nor between a wake of accept and its next attempt") {
    in_scheduler([] {
        coir::event is_set;
        is_set.set();
        // A fiber yields after 64 operations: one of these counts ends in the call of accept.
        for (int operations = 0; operations <= 64; ++operations) {
            auto listener = listen_on_loopback();
            auto server = coir::spawn([&] {
                for (int i = 0; i < operations; ++i) is_set.wait();
                listener.serve(echo);
            });
            coir::this_fiber::yield();
            listener.drain();
            server.get();
        }
        auto listener = listen_on_loopback();
        auto server = coir::spawn([&] { listener.serve(echo); });
        while (coir::stats().fibers_parked < 1) coir::this_fiber::yield();
        auto client = tcp_stream::connect(listener.local_endpoint());
        std::error_code ec;
        const auto stolen = listener.accept(0ms, ec);  // what the server is woken for
        listener.drain();
        server.get();
    });
}

TEST_CASE("serve: at its limit, drain accepts only as many as the limit allows") {
    in_scheduler([] {
        auto listener = listen_on_loopback();
        const auto at = listener.local_endpoint();
        auto server = coir::spawn([&] { listener.serve(coir::limit{1}, echo); });
        auto served = tcp_stream::connect(at);
        served.write_all("a");
        CHECK(read_text(served) == "a");
        auto waiting = tcp_stream::connect(at);
        auto beyond = tcp_stream::connect(at);
        listener.drain();
        served.close();
        waiting.write_all("b");
        CHECK(read_text(waiting) == "b");
        std::error_code ec;
        std::array<std::byte, 1> nothing;
        CHECK(beyond.read_some(nothing, coir::never, ec) == 0);
        CHECK(ec == std::errc::connection_reset);
        waiting.close();
        server.get();
    });
}
