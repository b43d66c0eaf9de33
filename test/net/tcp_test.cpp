#include <coir/coir.hpp>

#include "core/scheduler.hpp"
#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

namespace {

/// The error code of the exception that `f` throws.
template <class F> std::error_code failure_of(F&& f) {
    try {
        f();
    } catch (const std::system_error& failure) {
        return failure.code();
    }
    return {};
}

/// Sends data that the peer does not read, until the socket buffers are full.
void fill(tcp_stream& stream) {
    const std::vector<std::byte> plenty(1 << 20);
    std::error_code ec;
    while (!ec) stream.write_some(plenty, 20ms, ec);
    REQUIRE(ec == std::errc::timed_out);
}

}  // namespace

// ---- transfers ---------------------------------------------------------------------------------------------------

TEST_CASE("tcp_stream: what one end writes the other end reads, in both directions") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("question");
        CHECK(read_text(far) == "question");
        far.write_all("answer");
        CHECK(read_text(near) == "answer");
    });
}

TEST_CASE("tcp_stream: a read waits for data, and meanwhile other fibers run") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return read_text(far); });
        coir::this_fiber::yield();
        CHECK_FALSE(reader.done());
        near.write_all("late");
        CHECK(reader.get() == "late");
    });
}

TEST_CASE("tcp_stream: read_some returns 0 at the end of the stream, every time") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("last words");
        near.close();
        CHECK(read_text(far) == "last words");
        CHECK(read_text(far).empty());
        CHECK(read_text(far).empty());
    });
}

TEST_CASE("tcp_stream: data and the end of the stream in one event are both seen") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] {
            std::string all = read_text(far);
            while (true) {
                const std::string more = read_text(far, 5s);
                if (more.empty()) return all;
                all += more;
            }
        });
        coir::this_fiber::yield();  // the reader waits: the hub's next poll finds both at once
        near.write_all("bye");
        near.close();
        CHECK(reader.get() == "bye");
    });
}

TEST_CASE("tcp_stream: read_exactly fills its buffer from any number of pieces") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto writer = coir::spawn([&] {
            for (const char* piece : {"a", "bc", "def", "ghij"}) {
                near.write_all(piece);
                coir::this_fiber::sleep_for(1ms);
            }
        });
        std::array<char, 10> buffer;
        CHECK(far.read_exactly(std::as_writable_bytes(std::span{buffer})) == 10);
        CHECK(std::string_view{buffer.data(), 10} == "abcdefghij");
        writer.join();
    });
}

TEST_CASE("tcp_stream: read_exactly returns less if the stream ends earlier") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("abc");
        near.close();
        std::array<std::byte, 10> buffer;
        CHECK(far.read_exactly(buffer) == 3);
    });
}

TEST_CASE("tcp_stream: read_exactly with an error_code returns the number of bytes read before the failure") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("abc");
        std::array<std::byte, 10> buffer;
        std::error_code ec;
        CHECK(far.read_exactly(buffer, 10ms, ec) == 3);
        CHECK(ec == std::errc::timed_out);
    });
}

TEST_CASE("tcp_stream: write_all of megabytes waits for a slow reader, and all bytes arrive in order") {
    in_scheduler([] {
        constexpr std::size_t words = 1 << 20;
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto writer = coir::spawn([&] {
            std::vector<std::uint32_t> numbers(words);
            for (std::uint32_t i = 0; i < words; ++i) numbers[i] = i;
            near.write_all(std::as_bytes(std::span{numbers}));
            near.shutdown();
        });
        coir::this_fiber::sleep_for(5ms);
        CHECK_FALSE(writer.done());
        std::vector<std::uint32_t> got(words);
        CHECK(far.read_exactly(std::as_writable_bytes(std::span{got})) == words * 4);
        bool in_order = true;
        for (std::uint32_t i = 0; i < words; ++i) in_order = in_order && got[i] == i;
        CHECK(in_order);
        CHECK(read_text(far).empty());
        writer.join();
    });
}

TEST_CASE("tcp_stream: one fiber may read while another writes the same stream") {
    in_scheduler([] {
        constexpr std::size_t bytes = 4 << 20;
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto echo = coir::spawn([&] {
            std::vector<std::byte> buffer(64 << 10);
            while (const std::size_t n = far.read_some(buffer)) far.write_all(std::span{buffer}.first(n));
        });
        auto writer = coir::spawn([&] { near.write_all(std::vector<std::byte>(bytes, std::byte{7})); });
        std::vector<std::byte> got(bytes);
        CHECK(near.read_exactly(got) == bytes);
        CHECK(got == std::vector<std::byte>(bytes, std::byte{7}));
        writer.join();
        near.close();
        echo.join();
    });
}

TEST_CASE("tcp_stream: after shutdown the peer reads the end, and can still answer") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("request");
        near.shutdown();
        CHECK(read_text(far) == "request");
        CHECK(read_text(far).empty());
        far.write_all("response");
        CHECK(read_text(near) == "response");
    });
}

TEST_CASE("tcp_stream: shutdown of the reading half ends a waiting read") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return read_text(far); });
        coir::this_fiber::yield();
        far.shutdown(coir::net::shut::read);
        CHECK(reader.get().empty());
    });
}

TEST_CASE("tcp_stream: an urgent byte neither blocks a reader nor loses data") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return read_all(far); });
        coir::this_fiber::yield();
        near.write_all("before");
        CHECK(::send(near.native_handle(), "!", 1, MSG_OOB) == 1);
        near.write_all("after");
        coir::this_fiber::sleep_for(1ms);
        near.write_all(", later");
        near.shutdown();
        CHECK(reader.get() == "beforeafter, later");
    });
}

TEST_CASE("tcp_stream: a fiber whose stream is always ready lets others run") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all(std::string(20'000, 'x'));
        coir::this_fiber::sleep_for(1ms);
        bool stop = false;
        auto other = coir::spawn([&] { stop = true; });
        int reads = 0;
        std::array<std::byte, 1> byte;
        while (!stop && reads < 20'000) reads += static_cast<int>(far.read_some(byte));
        CHECK(reads < 200);
        other.join();
    });
}

// ---- connecting --------------------------------------------------------------------------------------------------

TEST_CASE("tcp_stream: connecting to a port without a listener is refused, and the error names it") {
    in_scheduler([] {
        const auto nobody = deserted();
        try {
            tcp_stream::connect(nobody);
            FAIL("connected");
        } catch (const std::system_error& failure) {
            CHECK(failure.code() == std::errc::connection_refused);
            CHECK(std::string{failure.what()}.find(nobody.to_string()) != std::string::npos);
        }
        std::error_code ec;
        CHECK_FALSE(tcp_stream::connect(nobody, coir::never, ec).is_open());
        CHECK(ec == std::errc::connection_refused);
    });
}

TEST_CASE("tcp_stream: connecting by name tries the addresses in turn") {
    in_scheduler([] {
        auto listener = listen_on_loopback();  // only 127.0.0.1: if localhost is ::1 first, that address refuses
        auto stream = tcp_stream::connect("localhost", listener.local_endpoint().port());
        CHECK(stream.remote_endpoint() == listener.local_endpoint());
        CHECK(failure_of([] { tcp_stream::connect("localhost", deserted().port()); }) == std::errc::connection_refused);
    });
}

TEST_CASE("tcp_stream: connect ends at its deadline") {
    in_scheduler([] {
        // With a full backlog, the kernel does not answer.
        auto listener = tcp_listener::bind({"127.0.0.1", 0}, {.backlog = 0});
        std::vector<tcp_stream> waiting;
        std::error_code ec;
        while (!ec) waiting.push_back(tcp_stream::connect(listener.local_endpoint(), 20ms, ec));
        CHECK(ec == std::errc::timed_out);
        CHECK_THROWS_AS(tcp_stream::connect(listener.local_endpoint(), 5ms), coir::timed_out);
    });
}

TEST_CASE("tcp_stream: a connect that waits can be cancelled") {
    in_scheduler([] {
        auto listener = tcp_listener::bind({"127.0.0.1", 0}, {.backlog = 0});
        std::vector<tcp_stream> waiting;
        std::error_code ec;
        while (!ec) waiting.push_back(tcp_stream::connect(listener.local_endpoint(), 20ms, ec));
        auto fiber = coir::spawn([&] { tcp_stream::connect(listener.local_endpoint()); });
        coir::this_fiber::yield();
        fiber.request_stop();
        CHECK_THROWS_AS(fiber.get(), coir::fiber_stopped);
    });
}

TEST_CASE("tcp_stream: returns the endpoints of both ends") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        CHECK(near.local_endpoint() == far.remote_endpoint());
        CHECK(near.remote_endpoint() == far.local_endpoint());
    });
}

TEST_CASE("tcp_stream: sends without delay by default, and with delay on request") {
    in_scheduler([] {
        const auto no_delay = [](const tcp_stream& of) {
            int on = -1;
            socklen_t size = sizeof on;
            ::getsockopt(of.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
            return on != 0;
        };
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        CHECK(no_delay(near));
        CHECK(no_delay(far));
        near.set_no_delay(false);
        CHECK_FALSE(no_delay(near));
    });
}

TEST_CASE("tcp: descriptors are close-on-exec") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        const auto listener = listen_on_loopback();
        for (const int fd : {near.native_handle(), far.native_handle(), listener.native_handle()}) {
            CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        }
    });
}

// ---- failures ----------------------------------------------------------------------------------------------------

TEST_CASE("tcp_stream: a reset by the peer ends a waiting read, and writes, and raises no SIGPIPE") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return failure_of([&] { read_text(far); }); });
        coir::this_fiber::yield();
        reset(near);
        CHECK(reader.get() == std::errc::connection_reset);
        CHECK(failure_of([&] { far.write_all("anyone?"); }) == std::errc::broken_pipe);
        std::error_code ec;
        far.shutdown(coir::net::shut::write, ec);
        CHECK_FALSE(ec);  // the reset has been reported
        static_cast<void>(far.remote_endpoint(ec));
        CHECK(ec == std::errc::not_connected);
    });
}

namespace {

/// Wakes two readers, and takes what they were woken for before they run. Returns false if a reader was first: on a slow
/// machine a fiber may yield before it waits.
bool take_before_readers() {
    auto ends = connection::make();
    const int fd = ends.near.native_handle();
    coir::concurrent_channel<int> wakes{1};
    auto owned = coir::spawn([&] { read_text(ends.near); });
    coir::this_fiber::yield();
    auto borrowed = coir::spawn([&] {
        std::array<std::byte, 1> room;
        static_cast<void>(coir::io::read_some(fd, room));
    });
    while (coir::stats().fibers_parked < 2) coir::this_fiber::yield();
    // The message is delivered before the descriptors are looked at, so this fiber runs before the readers.
    auto other = coir::spawn([&] {
        std::thread{[&] {
            CHECK(::send(ends.far.native_handle(), "x", 1, MSG_NOSIGNAL) == 1);
            pollfd arrives{fd, POLLIN, 0};  // a busy kernel delivers it later
            CHECK(::poll(&arrives, 1, 10'000) == 1);
            wakes.send(1);
        }}.join();
    });
    wakes.recv();
    char taken = 0;
    const bool is_first = ::recv(fd, &taken, 1, 0) == 1;
    owned.request_stop();
    borrowed.request_stop();
    owned.join();
    borrowed.join();
    return is_first;
}

}  // namespace

TEST_CASE("tcp_stream: a stop between the wake of a reader and its run is not lost if there is nothing to read") {
    in_scheduler([] {
        bool was_first = false;
        for (int tries = 0; tries < 200 && !was_first; ++tries) was_first = take_before_readers();
        CHECK(was_first);
    });
}

TEST_CASE("tcp_stream: shutdown of a connection that has ended in order is no error") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        near.shutdown();
        CHECK(read_text(far).empty());
        far.shutdown();
        CHECK(read_text(near).empty());
        near.shutdown(coir::net::shut::both);
        far.shutdown();
        far.shutdown();
    });
}

TEST_CASE("tcp_stream: shutdown reports a reset that no other call has reported") {
    in_scheduler([] {
        auto [near, far] = connection::make();
        reset(near);
        CHECK(failure_of([&far = far] { far.shutdown(); }) == std::errc::connection_reset);
    });
}

TEST_CASE("tcp_stream: a reset by the peer ends a waiting write") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        fill(near);
        auto writer = coir::spawn([&] { return failure_of([&] { near.write_all("more"); }); });
        coir::this_fiber::yield();
        reset(far);
        const std::error_code ec = writer.get();
        CHECK((ec == std::errc::connection_reset || ec == std::errc::broken_pipe));
    });
}

TEST_CASE("tcp_stream: calls on a closed stream report that it is closed") {
    in_scheduler([] {
        tcp_stream closed;
        CHECK_FALSE(closed.is_open());
        CHECK(closed.native_handle() == -1);
        CHECK(failure_of([&] { read_text(closed); }) == std::errc::bad_file_descriptor);
        CHECK(failure_of([&] { closed.write_all("x"); }) == std::errc::bad_file_descriptor);
        CHECK(failure_of([&] { closed.shutdown(); }) == std::errc::bad_file_descriptor);
        CHECK(failure_of([&] { closed.set_no_delay(true); }) == std::errc::bad_file_descriptor);
        CHECK(failure_of([&] { static_cast<void>(closed.local_endpoint()); }) == std::errc::bad_file_descriptor);
        CHECK(closed.release() == -1);
        closed.close();
    });
}

TEST_CASE("tcp_stream: the message of an error names the operation") {
    in_scheduler([] {
        try {
            read_text(*std::make_unique<tcp_stream>());
            FAIL("read");
        } catch (const std::system_error& failure) {
            CHECK(std::string{failure.what()}.find("stream::read_some") != std::string::npos);
        }
    });
}

TEST_CASE("tcp_stream: a read ends at its deadline, with an exception or error_code, and loses nothing") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        CHECK_THROWS_AS(read_text(far, 1ms), coir::timed_out);
        std::array<std::byte, 8> buffer;
        std::error_code ec;
        CHECK(far.read_some(buffer, 1ms, ec) == 0);
        CHECK(ec == std::errc::timed_out);
        near.write_all("here");
        CHECK(far.read_some(buffer, coir::never, ec) == 4);
        CHECK_FALSE(ec);
    });
}

TEST_CASE("tcp_stream: with a deadline in the past, a read returns available data, otherwise it times out") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("here");
        CHECK(read_text(far, 0s) == "here");
        CHECK_THROWS_AS(read_text(far, -1s), coir::timed_out);
    });
}

TEST_CASE("tcp_stream: a write ends at its deadline") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        fill(near);
        CHECK_THROWS_AS(near.write_all("more", 1ms), coir::timed_out);
        static_cast<void>(read_text(far));
    });
}

TEST_CASE("tcp_stream: a timeout scope ends a read, also one that reports with error_code") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& far = ends.far;
        std::array<std::byte, 8> buffer;
        std::error_code ec;
        CHECK_THROWS_AS(coir::with_timeout(1ms, [&] { far.read_some(buffer, coir::never, ec); }), coir::timed_out);
    });
}

// ---- interruption ------------------------------------------------------------------------------------------------

TEST_CASE("tcp_stream: a stop ends a waiting read, and the stream remains usable") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] {
            std::array<std::byte, 8> buffer;
            std::error_code ec;
            far.read_some(buffer, coir::never, ec);
        });
        coir::this_fiber::yield();
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
        near.write_all("still here");
        CHECK(read_text(far) == "still here");
    });
}

TEST_CASE("tcp_stream: a fiber that is being stopped reads nothing, even if there is data") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("data");
        auto reader = coir::spawn([&] { read_text(far); });
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
        CHECK(read_text(far) == "data");
    });
}

TEST_CASE(
    "tcp_stream: an interrupted read_exactly keeps the bytes it has read, and the next read continues after them") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        std::array<char, 8> into{};
        const auto half = std::as_writable_bytes(std::span{into});
        auto reader = coir::spawn([&] { static_cast<void>(far.read_exactly(half)); });
        near.write_all("one ");
        while (into[3] == 0) coir::this_fiber::yield();
        reader.request_stop();
        CHECK_THROWS_AS(reader.get(), coir::fiber_stopped);
        near.write_all("two");
        CHECK(std::string_view{into.data(), 4} == "one ");
        CHECK(read_text(far) == "two");

        std::error_code ec;
        near.write_all("four");
        CHECK(far.read_exactly(half, 20ms, ec) == 4);
        CHECK(ec == std::errc::timed_out);
    });
}

TEST_CASE("tcp_stream: an interrupted write_all has sent a prefix, and nothing twice") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        std::string numbers;
        while (numbers.size() < (16 << 20)) numbers += std::to_string(numbers.size()) + ' ';
        CHECK_THROWS_AS(coir::with_timeout(20ms, [&] { near.write_all(numbers); }), coir::timed_out);
        near.shutdown();
        std::string received;
        std::vector<char> buffer(1 << 16);
        while (const std::size_t n = far.read_some(std::as_writable_bytes(std::span{buffer}))) {
            received.append(buffer.data(), n);
        }
        CHECK(received.size() < numbers.size());
        CHECK(numbers.starts_with(received));
    });
}

TEST_CASE("tcp_stream: close ends waiting reads and writes") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        fill(near);
        auto writer = coir::spawn([&] { return failure_of([&] { near.write_all("more"); }); });
        auto reader = coir::spawn([&] { return failure_of([&] { read_text(near); }); });
        coir::this_fiber::yield();
        near.close();
        CHECK(writer.get() == std::errc::operation_canceled);
        CHECK(reader.get() == std::errc::operation_canceled);
    });
}

TEST_CASE("tcp_stream: close takes precedence if data has arrived but the reader has not run yet") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return failure_of([&] { read_text(far); }); });
        coir::this_fiber::yield();
        near.write_all("too late");
        // This fiber is ahead of the reader: it runs first after the hub has seen the data.
        while (!coir::detail::scheduler::current()->reactor()[far.native_handle()].readable) coir::this_fiber::yield();
        far.close();
        CHECK(reader.get() == std::errc::operation_canceled);
    });
}

TEST_CASE("tcp_stream: release returns the open descriptor") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return failure_of([&] { read_text(near); }); });
        coir::this_fiber::yield();
        const int fd = near.release();
        CHECK_FALSE(near.is_open());
        CHECK(reader.get() == std::errc::operation_canceled);
        far.write_all("for you");
        coir::io::wait_readable(fd);
        char buffer[8];
        CHECK(::read(fd, buffer, sizeof buffer) == 7);
        ::close(fd);
    });
}

TEST_CASE("tcp_stream: two fibers that use the same direction get an error") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        auto reader = coir::spawn([&] { return read_text(far); });
        coir::this_fiber::yield();
        CHECK(failure_of([&] { read_text(far); }) == std::errc::operation_in_progress);
        near.write_all("mine");
        CHECK(reader.get() == "mine");
    });
}

// ---- ownership ----------------------------------------------------------------------------------------------------

TEST_CASE("tcp_stream: outside a fiber its calls throw not_in_fiber") {
    tcp_stream closed;
    CHECK_THROWS_AS(read_text(closed), coir::not_in_fiber);
    CHECK_THROWS_AS(tcp_stream::connect({"127.0.0.1", 1}), coir::not_in_fiber);
}

TEST_CASE("tcp_stream: belongs to the scheduler that uses it first, while that scheduler runs") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("x");
        CHECK(read_text(far) == "x");
        coir::offload([&] { in_scheduler([&] { CHECK_THROWS_AS(read_text(far), coir::wrong_scheduler); }); });
    });
}

TEST_CASE("tcp_stream: one that outlives its run is used by the next run, or just closed") {
    std::optional<connection> kept;
    in_scheduler([&] {
        kept = connection::make();
        kept->near.write_all("first");
        CHECK(read_text(kept->far) == "first");
    });
    in_scheduler([&] {
        auto reader = coir::spawn([&] { return read_text(kept->far); });
        coir::this_fiber::yield();
        kept->near.write_all("second");
        CHECK(reader.get() == "second");
    });
    kept.reset();
}

TEST_CASE("tcp_stream: a moved stream keeps its connection and its registration") {
    in_scheduler([] {
        auto ends = connection::make();
        auto& near = ends.near;
        auto& far = ends.far;
        near.write_all("a");
        CHECK(read_text(far) == "a");
        tcp_stream moved{std::move(far)};
        CHECK_FALSE(far.is_open());
        far = std::move(moved);
        auto reader = coir::spawn([&] { return read_text(far); });
        coir::this_fiber::yield();
        near.write_all("b");
        CHECK(reader.get() == "b");
        far = tcp_stream{};
        CHECK(read_text(near).empty());
    });
}
