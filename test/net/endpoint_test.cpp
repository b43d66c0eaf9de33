#include <coir/net/endpoint.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <sstream>
#include <string>
#include <sys/un.h>

using coir::net::endpoint;

TEST_CASE("endpoint: an IPv4 address and port, and its text") {
    const endpoint at{"192.168.1.20", 8080};
    CHECK(at.is_v4());
    CHECK(at.address() == "192.168.1.20");
    CHECK(at.port() == 8080);
    CHECK(at.to_string() == "192.168.1.20:8080");
    CHECK(endpoint::parse(at.to_string()) == at);
}

TEST_CASE("endpoint: an IPv6 address is in brackets before the port") {
    const endpoint at{"2001:db8:0:0::1", 443};
    CHECK(at.is_v6());
    CHECK(at.address() == "2001:db8::1");
    CHECK(at.to_string() == "[2001:db8::1]:443");
    CHECK(endpoint::parse("[2001:db8::1]:443") == at);
}

TEST_CASE("endpoint: keeps the interface of a link-local address") {
    const auto at = endpoint::parse("[fe80::1%1]:22");
    CHECK(at.to_string() == "[fe80::1%1]:22");
    CHECK(endpoint{"fe80::1%lo", 22}.is_v6());
    CHECK(at != endpoint{"fe80::1", 22});
}

TEST_CASE("endpoint: the default is any address and any port") { CHECK(endpoint{}.to_string() == "0.0.0.0:0"); }

TEST_CASE("endpoint: text that is not an endpoint is refused, and quoted") {
    for (const char* text : {"", ":", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                             "127.0.0.1:8o", "127.0.0.1 :80", "localhost:80", "::1:80", "[::1]80", "[127.0.0.1]:80",
                             "[::1:80", "[fe80::1%nowhere]:1", "1.2.3.4%lo:80", "127.0.0.1:80 "}) {
        CAPTURE(text);
        std::error_code ec;
        CHECK(endpoint::parse(text, ec) == endpoint{});
        CHECK(ec == std::errc::invalid_argument);
        try {
            static_cast<void>(endpoint::parse(text));
            FAIL("no exception");
        } catch (const std::system_error& refused) {
            CHECK(std::string{refused.what()}.find(std::string{"'"} + text + "'") != std::string::npos);
        }
    }
    CHECK_THROWS_AS((endpoint{"localhost", 80}), std::system_error);
    CHECK_THROWS_AS((endpoint{std::string_view{"127.0.0.1\0.2", 12}, 80}), std::system_error);
}

TEST_CASE("endpoint: converts the address of a system call, and refuses other families") {
    const endpoint v4{"127.0.0.1", 1};
    const endpoint v6{"::1", 2};
    CHECK(endpoint{v4.data(), v4.size()} == v4);
    CHECK(endpoint{v6.data(), v6.size()} == v6);
    const sockaddr other{.sa_family = AF_APPLETALK, .sa_data = {}};
    CHECK_THROWS_AS((endpoint{&other, sizeof other}), std::system_error);
    for (const char* const path : {"/run/service", "@service", "@", ""}) {
        const endpoint local = endpoint::local(path);
        CHECK(endpoint{local.data(), local.size()} == local);
    }
    CHECK_THROWS_AS((endpoint{v4.data(), 4}), std::system_error);
}

TEST_CASE("endpoint: a Unix socket has a path, an abstract name, or no name") {
    for (const char* const path : {"/run/service", "relative", "@service", "@", ""}) {
        CAPTURE(path);
        const endpoint at = endpoint::local(path);
        CHECK(at.is_local());
        CHECK_FALSE(at.is_v4());
        CHECK_FALSE(at.is_v6());
        CHECK(at.address() == path);
        CHECK(at.port() == 0);
        CHECK(at.to_string() == std::string{"unix:"} + path);
        CHECK(endpoint::parse(at.to_string()) == at);
    }
}

TEST_CASE("endpoint: a path that is too long or contains a zero byte is refused, and quoted") {
    const std::string longest(107, 'x');
    CHECK(endpoint::local(longest).address() == longest);
    CHECK_THROWS_WITH_AS(endpoint::local(longest + "y"), doctest::Contains((longest + "y").c_str()), std::system_error);
    CHECK_THROWS_AS(endpoint::local(std::string_view{"/run\0x", 6}), std::system_error);
    std::error_code ec;
    CHECK(endpoint::parse("unix:" + longest + "y", ec) == endpoint{});
    CHECK(ec == std::errc::filename_too_long);
}

TEST_CASE("endpoint: the text of every Unix socket is that of no other") {
    const auto of_system = [](const std::string& name) {
        sockaddr_un made{};
        made.sun_family = AF_UNIX;
        name.copy(made.sun_path, sizeof made.sun_path);
        return endpoint{reinterpret_cast<const sockaddr*>(&made),
                        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())};
    };
    using namespace std::string_literals;
    CHECK(of_system("@name\0"s).to_string() == "unix:./@name");  // a file
    CHECK(of_system("\0name"s).to_string() == "unix:@name");
    for (const std::string& name : {"\0"s, "\0name"s, "\0with\0zeros\0"s, "\0"s + std::string(107, 'x'), "/run/x\0"s}) {
        const endpoint at = of_system(name);
        CHECK(endpoint::parse(at.to_string()) == at);
        CHECK(endpoint::parse(at.to_string()).size() == at.size());
    }
    CHECK_THROWS_AS(endpoint::local("@" + std::string(108, 'x')), std::system_error);
}

TEST_CASE("endpoint: an address that is not numeric is an error code, if one is given") {
    std::error_code ec;
    CHECK(endpoint{"127.0.0.1", 80, ec} == endpoint{"127.0.0.1", 80});
    CHECK_FALSE(ec);
    for (const char* const address : {"unix", "localhost", "", "[::1]", "1.2.3.4:5"}) {
        CHECK(endpoint{address, 80, ec} == endpoint{});
        CHECK(ec == std::errc::invalid_argument);
    }
}

TEST_CASE("endpoint: endpoints are ordered by family, address and port") {
    const std::set<endpoint> all{{"::1", 1},      {"10.0.0.2", 1},      {"10.0.0.1", 300},   {"10.0.0.1", 2},
                                 {"10.0.0.1", 2}, endpoint::local("b"), endpoint::local("a")};
    std::ostringstream text;
    for (const endpoint& each : all) text << each << ' ';
    CHECK(text.str() == "10.0.0.1:2 10.0.0.1:300 10.0.0.2:1 [::1]:1 unix:a unix:b ");
}
