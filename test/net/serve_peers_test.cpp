#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <fcntl.h>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;
using coir::net::unix_listener;
using coir::net::unix_stream;

namespace {

/// How many failures `serve` reports when a client connects and is reset, before the server has read a byte.
int reported_after_reset(const std::function<void(tcp_stream&)>& handler) {
    int reported = 0;
    coir::run_options options;
    options.on_unhandled_exception = [&](const std::exception_ptr&, std::string_view) { ++reported; };
    in_scheduler(options, [&] {
        auto listener = listen_on_loopback();
        auto client = tcp_stream::connect(listener.local_endpoint());
        client.write_all("request");
        reset(client);
        coir::event ended;
        auto server = coir::spawn([&] {
            listener.serve([&](tcp_stream peer) {
                const coir::detail::scope_exit at_end{[&] { ended.set(); }};
                handler(peer);
            });
        });
        ended.wait(10s);
        server.request_stop();
        server.join();
    });
    return reported;
}

/// Reads or writes until that fails.
void read_on(tcp_stream& peer) {
    std::array<std::byte, 64> buffer;
    while (peer.read_some(buffer) != 0) {
    }
}
void write_on(tcp_stream& peer) {
    for (;;) peer.write_all("answer");
}

}  // namespace

TEST_CASE("serve: a peer that was reset before the first byte is no failure, whatever the handler calls") {
    CHECK(reported_after_reset(read_on) == 0);
    CHECK(reported_after_reset(write_on) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) { peer.shutdown(); }) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) { static_cast<void>(peer.remote_endpoint()); }) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) { static_cast<void>(peer.local_endpoint()); }) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) {
              peer.set_no_delay(true);
              peer.set_cork(true);
              peer.set_keep_alive(coir::net::keep_alive{});
              peer.set_user_timeout(1s);
              peer.set_reset_on_close(true);
              peer.set_send_buffer(10'000);
              peer.set_receive_buffer(10'000);
          }) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) {
              coir::io::file self = coir::io::file::open("/proc/self/exe");
              coir::io::copy(self, peer);
          }) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) {
              auto ends = connection::make();
              coir::io::copy(peer, ends.near);
          }) == 0);
    CHECK(reported_after_reset([](tcp_stream& peer) {
              auto ends = connection::make();
              ends.far.write_all("data");
              ends.far.close();
              coir::io::copy(ends.near, peer);
          }) == 0);
}

TEST_CASE("serve: fibers of a handler that all fail because the peer has gone are no failure") {
    const auto both = [](tcp_stream& peer) {
        coir::task_group group;
        const auto until_failure = [&](void (*transfer)(tcp_stream&)) {
            try {
                transfer(peer);
            } catch (const coir::cancelled&) {
                throw std::system_error{std::make_error_code(std::errc::broken_pipe)};
            }
        };
        group.spawn([&] { until_failure(read_on); });
        group.spawn([&] { until_failure(write_on); });
        group.wait();
    };
    CHECK(reported_after_reset(both) == 0);
}

TEST_CASE("serve: other failures of a handler are reported, also beside those of the peer") {
    const auto throws = [](std::errc what) {
        return [what](tcp_stream&) { throw std::system_error{std::make_error_code(what)}; };
    };
    CHECK(reported_after_reset(throws(std::errc::no_space_on_device)) == 1);
    CHECK(reported_after_reset(throws(std::errc::bad_file_descriptor)) == 1);
    CHECK(reported_after_reset([](tcp_stream&) { throw coir::timed_out{"a deadline of the program"}; }) == 1);
    CHECK(reported_after_reset([](tcp_stream&) { throw std::logic_error{"a bug"}; }) == 1);
    CHECK(reported_after_reset([](tcp_stream&) {
              throw coir::exception_group{
                  {std::make_exception_ptr(std::system_error{ECONNRESET, std::system_category()}),
                   std::make_exception_ptr(std::logic_error{"a bug"})}};
          }) == 1);
}

TEST_CASE("serve: a peer that does not answer any more is no failure") {
    const auto silent = [](tcp_stream&) { throw std::system_error{ETIMEDOUT, std::system_category()}; };
    CHECK(reported_after_reset(silent) == 0);
}

TEST_CASE("serve: a peer of a Unix socket that has gone is no failure") {
    int reported = 0;
    coir::run_options options;
    options.on_unhandled_exception = [&](const std::exception_ptr&, std::string_view) { ++reported; };
    in_scheduler(options, [&] {
        auto listener = unix_listener::bind("@coir-test-gone-" + std::to_string(::getpid()));
        coir::event gone, all_accepted;
        int accepted = 0, handled = 0;
        auto server = coir::spawn([&] {
            listener.serve([&](unix_stream peer) {
                if (++accepted == 4) all_accepted.set();
                gone.wait();
                ++handled;
                if (handled % 2 == 0) peer.shutdown();
                for (;;) peer.write_all("answer");
            });
        });
        for (int i = 0; i < 4; ++i) {
            auto client = unix_stream::connect(listener.local_endpoint().address());
            client.write_all("never read");
        }
        all_accepted.wait(10s);
        gone.set();
        listener.close();
        server.join();
        CHECK(handled == 4);
    });
    CHECK(reported == 0);
}
