#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "net/loopback.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using coir::detail::unique_fd;
using coir::net::unix_listener;
using coir::net::unix_stream;
using coir::test::error_of;
using coir::test::in_scheduler;
using coir::test::read_text;
using coir::test::temporary_folder;

TEST_CASE("unix_stream: both ends of a pair read the other's bytes") {
    in_scheduler([] {
        auto [near, far] = unix_stream::pair();
        near.write_all("question");
        CHECK(read_text(far) == "question");
        far.write_all("answer");
        CHECK(read_text(near) == "answer");
        near.close();
        CHECK(read_text(far).empty());
    });
}

TEST_CASE("unix_listener: accepts connections by path and by abstract name") {
    in_scheduler([] {
        const temporary_folder here;
        for (const std::string& path : {here.file("socket"), "@coir-test-" + std::to_string(::getpid())}) {
            CAPTURE(path);
            auto listener = unix_listener::bind(path);
            CHECK(listener.local_endpoint() == coir::net::endpoint::local(path));
            auto client = unix_stream::connect(path);
            auto server = listener.accept();
            CHECK(client.remote_endpoint().address() == path);
            CHECK(server.remote_endpoint() == coir::net::endpoint::local(""));
            client.write_all("here");
            CHECK(read_text(server) == "here");
        }
    });
}

TEST_CASE("unix_listener: serve runs one fiber per connection, until it is stopped") {
    in_scheduler([] {
        const temporary_folder here;
        auto listener = unix_listener::bind(here.file("socket"));
        auto server = coir::spawn([&] { listener.serve([](unix_stream peer) { peer.write_all(read_text(peer)); }); });
        for (const char* const text : {"one", "two"}) {
            auto client = unix_stream::connect(here.file("socket"));
            client.write_all(text);
            CHECK(read_text(client) == text);
        }
        server.request_stop();
        CHECK_THROWS_AS(server.get(), coir::fiber_stopped);
    });
}

TEST_CASE("unix_listener: the destructor removes its file, but not a file that has replaced it") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("socket");
        {
            auto listener = unix_listener::bind(path);
            auto moved = std::move(listener);
            CHECK(std::filesystem::is_socket(path));
        }
        CHECK_FALSE(std::filesystem::exists(path));

        auto listener = unix_listener::bind(path);
        std::filesystem::remove(path);
        auto successor = unix_listener::bind(path);
        listener.close();
        CHECK(std::filesystem::is_socket(path));
    });
}

TEST_CASE("unix_listener: a stale socket file is replaced, but not one in use, nor any other file") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("socket");
        {
            const unique_fd crashed{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
            const auto at = coir::net::endpoint::local(path);
            REQUIRE(::bind(crashed.get(), at.data(), at.size()) == 0);
            REQUIRE(::listen(crashed.get(), 1) == 0);
        }
        auto listener = unix_listener::bind(path);
        CHECK_THROWS_WITH_AS(unix_listener::bind(path), doctest::Contains(path.c_str()), std::system_error);
        CHECK(error_of([&] { unix_listener::bind(path); }) == std::errc::address_in_use);
        CHECK(error_of([&] { unix_listener::bind(here.file("no/folder")); }) == std::errc::no_such_file_or_directory);

        const std::string file = here.file("file");
        const unique_fd other{::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
        CHECK(error_of([&] { unix_listener::bind(file); }) == std::errc::address_in_use);
        CHECK(std::filesystem::is_regular_file(file));
    });
}

TEST_CASE("unix_stream: connecting to a path without a listener is refused, and the error names the path") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("socket");
        CHECK_THROWS_WITH_AS(unix_stream::connect(path), doctest::Contains(path.c_str()), std::system_error);
        CHECK(error_of([&] { unix_stream::connect(path); }) == std::errc::no_such_file_or_directory);
        CHECK(error_of([&] { unix_stream::connect(std::string(108, 'x')); }) == std::errc::filename_too_long);
        CHECK(error_of([&] { unix_stream::connect("@coir-nobody"); }) == std::errc::connection_refused);
    });
}

TEST_CASE("unix_stream: connect waits while the listener's queue is full, until its deadline, a stop, or a free slot") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("socket");
        auto listener = unix_listener::bind(path, 0);
        std::vector<unix_stream> waiting;
        std::error_code ec;
        while (!ec) waiting.push_back(unix_stream::connect(path, 5ms, ec));
        CHECK(ec == std::errc::timed_out);
        auto stopped = coir::spawn([&] { unix_stream::connect(path); });
        auto patient = coir::spawn([&] { return unix_stream::connect(path).is_open(); });
        coir::this_fiber::yield();
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        CHECK_FALSE(patient.done());
        auto peer = listener.accept();
        CHECK(patient.get());
    });
}

TEST_CASE("unix_listener: a client whose own path has the maximum length is served like any other") {
    in_scheduler([] {
        const temporary_folder here;
        auto listener = unix_listener::bind(here.file("socket"));
        auto server = coir::spawn([&] { listener.serve([](unix_stream peer) { peer.write_all("hello"); }); });
        const unique_fd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        sockaddr_un mine{};
        mine.sun_family = AF_UNIX;
        std::string path = here.file("");
        path.resize(sizeof mine.sun_path, 'x');
        path.copy(mine.sun_path, path.size());
        REQUIRE(::bind(client.get(), reinterpret_cast<const sockaddr*>(&mine), sizeof mine) == 0);
        const auto to = listener.local_endpoint();
        REQUIRE(::connect(client.get(), to.data(), to.size()) == 0);
        std::array<std::byte, 5> greeting;
        CHECK(coir::io::read_exactly(client.get(), greeting) == 5);
    });
}

TEST_CASE("unix_stream: a read that ends at a descriptor leaves the following bytes to the next read") {
    in_scheduler([] {
        auto [near, far] = unix_stream::pair();
        near.write_all("abc");
        near.send_descriptor(0);
        near.write_all("def");
        std::string text;
        while (text.size() < 7) text += read_text(far);
        CHECK(text == std::string{"abc\0def", 7});
    });
}

TEST_CASE("unix_stream: a descriptor is passed, and works at the other end") {
    in_scheduler([] {
        auto [near, far] = unix_stream::pair();
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
        const unique_fd out{ends[0]};
        {
            const unique_fd in{ends[1]};
            near.send_descriptor(in.get());
        }
        const unique_fd passed{far.receive_descriptor()};
        CHECK((::fcntl(passed.get(), F_GETFD) & FD_CLOEXEC) != 0);
        coir::io::write_all(passed.get(), "through");
        std::array<char, 16> text{};
        CHECK(coir::io::read_some(out.get(), std::as_writable_bytes(std::span{text})) == 7);
    });
}

TEST_CASE("unix_stream: receive_descriptor waits for a descriptor, and refuses plain bytes") {
    in_scheduler([] {
        auto [near, far] = unix_stream::pair();
        CHECK_THROWS_AS(static_cast<void>(far.receive_descriptor(1ms)), coir::timed_out);
        near.write_all("x");
        CHECK(error_of([&, &other = far] { static_cast<void>(other.receive_descriptor()); }) == std::errc::bad_message);
        CHECK(error_of([&, &other = near] { other.send_descriptor(-1); }) == std::errc::bad_file_descriptor);
        near.close();
        CHECK(error_of([&, &other = far] { static_cast<void>(other.receive_descriptor()); }) ==
              std::errc::connection_aborted);
    });
}

TEST_CASE("unix_stream: several descriptors at once are refused, and all are closed") {
    in_scheduler([] {
        auto [near, far] = unix_stream::pair();
        const auto open_descriptors = [] {
            return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
        };
        std::byte byte{};
        iovec data{&byte, 1};
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(2 * sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(2 * sizeof(int));
        const std::array<int, 2> two{0, 1};
        std::copy_n(reinterpret_cast<const std::byte*>(two.data()), sizeof two,
                    reinterpret_cast<std::byte*>(CMSG_DATA(header)));
        REQUIRE(::sendmsg(near.native_handle(), &message, 0) == 1);
        const auto before = open_descriptors();
        CHECK(error_of([&, &other = far] { static_cast<void>(other.receive_descriptor()); }) == std::errc::bad_message);
        CHECK(open_descriptors() == before);
    });
}

TEST_CASE("unix_stream: credentials are those of the peer's process") {
    in_scheduler([] {
        auto [near, far] = unix_stream::pair();
        const coir::net::peer_credentials peer = far.credentials();
        CHECK(peer.process == ::getpid());
        CHECK(peer.user == ::geteuid());
        CHECK(peer.group == ::getegid());
    });
}

TEST_CASE("tcp: refuses the endpoint of a Unix socket") {
    in_scheduler([] {
        const auto local = coir::net::endpoint::local("/run/service");
        CHECK(error_of([&] { coir::net::tcp_stream::connect(local); }) == std::errc::address_family_not_supported);
        CHECK(error_of([&] { coir::net::tcp_listener::bind(local); }) == std::errc::address_family_not_supported);
    });
}
