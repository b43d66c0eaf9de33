#include <coir/coir.hpp>

#include "net/hosts_file.hpp"
#include "support/in_scheduler.hpp"
#include "thread/blocker.hpp"
#include "thread/detached_work.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <netdb.h>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::net::endpoint;
using coir::net::resolve;
using coir::test::blocker;
using coir::test::in_scheduler;

namespace {

/// A name whose form the resolver rejects without a query.
const std::string no_name = std::string(64, 'x') + ".invalid";

}  // namespace

TEST_CASE("resolve: numeric addresses need no lookup") {
    in_scheduler([] {
        CHECK(resolve("192.0.2.1", "80") == std::vector{endpoint{"192.0.2.1", 80}});
        CHECK(resolve("2001:db8::1", "443") == std::vector{endpoint{"2001:db8::1", 443}});
    });
}

TEST_CASE("resolve: a host is never taken for a part of another address") {
    in_scheduler([] {
        std::error_code ec;
        for (const char* const host : {"unix", "unix:", "unix:/run/x", "@x", "127.0.0.1:5", "[::1]", "::1]:1"}) {
            CAPTURE(host);
            for (const endpoint& each : resolve(host, "80", 2s, ec)) CHECK_FALSE(each.is_local());
        }
        CHECK(resolve("127.0.0.1", "80:90", 2s, ec).empty());
        CHECK(resolve("::1%lo", "80") == std::vector{endpoint{"::1%lo", 80}});
    });
}

TEST_CASE("resolve: a local name gives each address once") {
    in_scheduler([] {
        const auto found = resolve("localhost", "80");
        REQUIRE_FALSE(found.empty());
        for (const endpoint& each : found) {
            CHECK((each.address() == "127.0.0.1" || each.address() == "::1"));
            CHECK(each.port() == 80);
            CHECK(std::count(found.begin(), found.end(), each) == 1);
        }
    });
}

TEST_CASE("resolve: the service may be a name") {
    in_scheduler([] {
        std::error_code ec;
        const auto found = resolve("127.0.0.1", "http", coir::never, ec);
        // Without /etc/services the name is unknown.
        if (ec)
            CHECK(ec == std::error_code(EAI_SERVICE, coir::net::resolve_category()));
        else
            CHECK(found == std::vector{endpoint{"127.0.0.1", 80}});
    });
}

TEST_CASE("resolve: a numeric address may have a form that only the system's resolver knows") {
    in_scheduler([] { CHECK(resolve("127.1", "80") == std::vector{endpoint{"127.0.0.1", 80}}); });
}

TEST_CASE("resolve: names of this machine and numeric addresses do not wait for look-ups that get no answer") {
    in_scheduler([] {
        const blocker held;
        std::vector<coir::fiber<void>> unanswered;
        for (int i = 0; i < 70; ++i) {
            unanswered.push_back(coir::spawn([call = held.call()] {
                auto& here = coir::detail::scheduler::enter("test");
                static_cast<void>(
                    coir::detail::call_detached(coir::detail::lane::names, here, "test", coir::never, call));
            }));
        }
        held.wait_for(64);
        CHECK_FALSE(resolve("localhost", "80", 20s).empty());
        CHECK_FALSE(resolve("LOCALHOST", "80", 20s).empty());
        CHECK_FALSE(resolve("127.1", "80", 20s).empty());
        held.end();
    });
}

TEST_CASE("resolve: hosts(5) lists names and aliases, in any case, behind an address and before a comment") {
    using coir::detail::lists_host;
    constexpr std::string_view content = "# comment one\n127.0.0.1 localhost\n\n"
                                         "::1\tlocalhost ip6-localhost\tAlias # two\n  10.0.0.1  last";
    for (const auto* name : {"localhost", "LocalHost", "ip6-localhost", "alias", "last"})
        CHECK(lists_host(content, name));
    for (const auto* name :
         {"", "127.0.0.1", "::1", "10.0.0.1", "local", "one", "two", "#", "comment", "localhost.", "las"})
        CHECK_FALSE(lists_host(content, name));
    CHECK_FALSE(lists_host("", "localhost"));
}

TEST_CASE("resolve: other fibers run meanwhile") {
    in_scheduler([] {
        bool ran = false;
        auto other = coir::spawn([&] { ran = true; });
        static_cast<void>(resolve("localhost", "80"));
        CHECK(ran);
        other.join();
    });
}

TEST_CASE("resolve: an unknown name gives an error of its own category, which names it") {
    in_scheduler([] {
        try {
            static_cast<void>(resolve(no_name, "80"));
            FAIL("resolved");
        } catch (const std::system_error& failure) {
            CHECK(failure.code().category() == coir::net::resolve_category());
            CHECK(std::string{failure.what()}.find(no_name) != std::string::npos);
            CHECK(std::string{failure.what()}.find(::gai_strerror(failure.code().value())) != std::string::npos);
        }
        std::error_code ec;
        CHECK(resolve("localhost", "no-such-service", coir::never, ec).empty());
        CHECK(ec.category() == coir::net::resolve_category());
        CHECK(resolve(std::string_view{"localhost\0x", 11}, "80", coir::never, ec).empty());
        CHECK(ec == std::error_code(EAI_NONAME, coir::net::resolve_category()));
        CHECK_THROWS_AS(coir::net::tcp_stream::connect(no_name, 80), std::system_error);
    });
}

TEST_CASE("resolve: outside a fiber it throws not_in_fiber") {
    CHECK_THROWS_AS(static_cast<void>(resolve("127.0.0.1", "80")), coir::not_in_fiber);
}

TEST_CASE("resolve: a lookup abandoned at its deadline or by a stop, at any moment, is safe") {
    for (int round = 0; round < 50; ++round) {
        in_scheduler([&] {
            std::error_code ec;
            static_cast<void>(resolve("localhost", "80", std::chrono::microseconds{round * 4}, ec));
            CHECK((!ec || ec == std::errc::timed_out));
            auto stopped = coir::spawn([] { static_cast<void>(resolve("localhost", "80")); });
            coir::this_fiber::yield();
            stopped.request_stop();
            CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
            auto left_behind = coir::spawn([] { static_cast<void>(resolve("localhost", "80")); });
            coir::this_fiber::yield();
        });
    }
}
