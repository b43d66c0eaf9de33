#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::detail::unique_fd;
using coir::net::endpoint;
using coir::net::unix_datagram;
using coir::test::as_text;
using coir::test::error_of;
using coir::test::in_scheduler;
using coir::test::temporary_folder;

namespace {

std::string receive_text(unix_datagram& from, coir::deadline until = coir::never) {
    std::array<std::byte, 100> place;
    return as_text(from.receive_from(place, until).bytes);
}

}  // namespace

TEST_CASE("unix_datagram: both ends of a pair receive the other's datagrams, whole and in order") {
    in_scheduler([] {
        auto [near, far] = unix_datagram::pair();
        near.send("one");
        near.send("");
        near.send("two");
        CHECK(receive_text(far) == "one");
        CHECK(receive_text(far).empty());
        CHECK(receive_text(far) == "two");
        far.send("back");
        CHECK(receive_text(near) == "back");
    });
}

TEST_CASE("unix_datagram: works with paths and abstract names, answers, and senders' names") {
    in_scheduler([] {
        const temporary_folder here;
        for (const std::string& name : {here.file("socket"), std::string{"@coir-test-datagram"}}) {
            auto server = unix_datagram::bind(name);
            CHECK(server.local_endpoint() == endpoint::local(name));
            auto client = unix_datagram::bind(here.file("client"));
            client.send_to("question", server.local_endpoint());
            std::array<std::byte, 100> place;
            const auto received = server.receive_from(place);
            CHECK(as_text(received.bytes) == "question");
            CHECK(received.peer == client.local_endpoint());
            CHECK(received.sender.process == ::getpid());
            CHECK(received.sender.user == ::getuid());
            CHECK(received.sender.group == ::getgid());
            server.send_to("answer", received.peer);
            CHECK(receive_text(client) == "answer");
        }
    });
}

TEST_CASE("unix_datagram: a connected but unbound socket sends without a name") {
    in_scheduler([] {
        auto server = unix_datagram::bind("@coir-test-nameless");
        auto client = unix_datagram::connect("@coir-test-nameless");
        client.send("who?");
        std::array<std::byte, 100> place;
        const auto received = server.receive_from(place);
        CHECK(received.peer.is_local());
        CHECK(received.peer.address().empty());
        CHECK(received.sender.process == ::getpid());
    });
}

TEST_CASE("unix_datagram: a datagram larger than the buffer is truncated, and this is reported") {
    in_scheduler([] {
        auto [near, far] = unix_datagram::pair();
        near.send("too long");
        std::array<std::byte, 3> place;
        const auto received = far.receive_from(place);
        CHECK(received.truncated);
        CHECK(as_text(received.bytes) == "too");
    });
}

TEST_CASE("unix_datagram: a sender waits while the receiver's queue is full, connected or not, and nothing is lost") {
    in_scheduler([] {
        constexpr int count = 2'000;
        auto server = unix_datagram::bind("@coir-test-queue");
        const auto receive = [&] {
            for (int i = 0; i < count; ++i) CHECK(receive_text(server) == std::to_string(i));
        };
        auto connected = unix_datagram::connect("@coir-test-queue");
        auto sender = coir::spawn([&] {
            for (int i = 0; i < count; ++i) connected.send(std::to_string(i));
        });
        coir::this_fiber::sleep_for(2ms);
        CHECK_FALSE(sender.done());
        receive();
        sender.get();

        auto another = coir::spawn([&] {
            auto unconnected = unix_datagram::bind("@coir-test-sender");
            for (int i = 0; i < count; ++i) unconnected.send_to(std::to_string(i), server.local_endpoint());
        });
        receive();
        another.get();
    });
}

TEST_CASE("unix_datagram: sends and receives end at their deadline, with a stop, and with close") {
    in_scheduler([] {
        auto server = unix_datagram::bind("@coir-test-patience");
        auto client = unix_datagram::bind("@coir-test-client");
        const auto to = server.local_endpoint();
        std::array<std::byte, 8> place;
        CHECK_THROWS_AS(static_cast<void>(server.receive_from(place, 1ms)), coir::timed_out);
        CHECK(error_of([&] {
                  for (;;) client.send_to("x", to, 5ms);
              }) == std::errc::timed_out);
        auto stopped = coir::spawn([&] { client.send_to("x", to); });
        coir::this_fiber::yield();
        CHECK_FALSE(stopped.done());
        stopped.request_stop();
        CHECK_THROWS_AS(stopped.get(), coir::fiber_stopped);
        auto closed = coir::spawn([&] { return error_of([&] { static_cast<void>(client.receive_from(place)); }); });
        coir::this_fiber::yield();
        client.close();
        CHECK(closed.get() == std::errc::operation_canceled);
        CHECK(error_of([&] { client.send_to("x", to); }) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE(
    "unix_datagram: a stale socket file is replaced, one in use is not, and the destructor removes its own file") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("socket");
        {
            const unique_fd crashed{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
            const auto at = endpoint::local(path);
            REQUIRE(::bind(crashed.get(), at.data(), at.size()) == 0);
        }
        {
            auto server = unix_datagram::bind(path);
            CHECK_THROWS_WITH_AS(unix_datagram::bind(path), doctest::Contains(path.c_str()), std::system_error);
            CHECK(error_of([&] { unix_datagram::bind(path); }) == std::errc::address_in_use);
            auto client = unix_datagram::connect(path);
            client.send("still here");
            CHECK(receive_text(server) == "still here");
        }
        CHECK_FALSE(std::filesystem::exists(path));
    });
}

TEST_CASE(
    "unix_datagram: a missing receiver, a long path and a large datagram are refused, and the error names the path") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("nobody");
        CHECK_THROWS_WITH_AS(unix_datagram::connect(path), doctest::Contains(path.c_str()), std::system_error);
        CHECK(error_of([&] { unix_datagram::connect(path); }) == std::errc::no_such_file_or_directory);
        CHECK(error_of([&] { unix_datagram::connect("@coir-nobody"); }) == std::errc::connection_refused);
        CHECK(error_of([&] { unix_datagram::bind(std::string(108, 'x')); }) == std::errc::filename_too_long);
        auto [near, far] = unix_datagram::pair();
        const std::string huge(4 << 20, 'x');
        CHECK(error_of([&, &by = near] { by.send(huge); }) == std::errc::message_size);
        far.close();
        CHECK(error_of([&, &by = near] { by.send("x"); }) == std::errc::connection_refused);
        CHECK_THROWS_WITH_AS(near.send_to("x", endpoint::local(path)), doctest::Contains(path.c_str()),
                             std::system_error);
    });
}

TEST_CASE("unix_datagram: passes descriptors, beside the credentials, and closes a descriptor that was not requested") {
    in_scheduler([] {
        auto [near, far] = unix_datagram::pair();
        const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
        near.send_descriptor(null.get());
        const unique_fd received{far.receive_descriptor()};
        struct stat sent {
        }, got{};
        REQUIRE(::fstat(null.get(), &sent) == 0);
        REQUIRE(::fstat(received.get(), &got) == 0);
        CHECK(sent.st_rdev == got.st_rdev);

        const auto open_descriptors = [] {
            return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
        };
        const auto before = open_descriptors();
        near.send_descriptor(null.get());
        std::array<std::byte, 8> place;
        CHECK(far.receive_from(place).bytes.size() == 1);
        CHECK(open_descriptors() == before);
        near.send("none");
        CHECK(error_of([&, &by = far] { static_cast<void>(by.receive_descriptor()); }) == std::errc::bad_message);
    });
}

TEST_CASE("unix_datagram: outside a fiber its transfers throw not_in_fiber") {
    auto [near, far] = unix_datagram::pair();
    std::array<std::byte, 8> place;
    auto& by = near;
    CHECK_THROWS_AS(by.send("x"), coir::not_in_fiber);
    CHECK_THROWS_AS(by.send_to("x", endpoint::local("@x")), coir::not_in_fiber);
    CHECK_THROWS_AS(static_cast<void>(by.receive_from(place)), coir::not_in_fiber);
}

TEST_CASE("unix_datagram: each send_to on a closed socket says bad_file_descriptor, however many there are") {
    in_scheduler([] {
        const temporary_folder folder;
        auto far = unix_datagram::bind(folder.file("far"));
        unix_datagram closed = unix_datagram::bind(folder.file("near"));
        closed.close();
        const std::array<std::byte, 1> data{};
        for (int i = 0; i < 200; ++i) {
            std::error_code ec;
            closed.send_to(data, far.local_endpoint(), coir::never, ec);
            REQUIRE(ec == std::errc::bad_file_descriptor);
        }
    });
}
