#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "base/sys.hpp"
#include "core/loop/reactor.hpp"
#include "core/scheduler.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/other_thread.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using coir::detail::direction;
using coir::detail::outcome;
using coir::detail::reactor;
using coir::detail::scheduler;
using coir::detail::unique_fd;
using coir::detail::waiter;
using coir::test::in_scheduler;
namespace sys = coir::detail::sys;

namespace {

struct pipe_ends {
    unique_fd read;
    unique_fd write;
};

pipe_ends make_pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

struct socket_pair {
    unique_fd one;
    unique_fd two;
};

socket_pair make_sockets() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

reactor& this_reactor() { return scheduler::get("test").reactor(); }

/// Watches a descriptor during its lifetime.
struct watched {
    explicit watched(const unique_fd& of) : fd{of.get()} { this_reactor().add(fd); }
    ~watched() { this_reactor().remove(fd); }
    int fd;
};

outcome park(waiter& me, coir::deadline until) {
    scheduler& scheduler = scheduler::get("test");
    struct counted {
        counted() { this_reactor().count_waiter(); }
        ~counted() { this_reactor().discount_waiter(); }
    } const while_parked;
    return scheduler.park(me, until);
}

outcome wait(int fd, direction towards, coir::deadline until = coir::never) {
    waiter me{scheduler::enter("test").running(), "a descriptor"};
    this_reactor().prepare(fd, me, towards);
    return park(me, until);
}

outcome wait_borrowed(int fd, direction towards, coir::deadline until = coir::never) {
    waiter me{scheduler::enter("test").running(), "a descriptor"};
    if (!this_reactor().prepare_borrowed(fd, me, towards)) return outcome::woken;
    struct finished {
        ~finished() { this_reactor().finish_borrowed(fd); }
        int fd;
    } const at_end{fd};
    return park(me, until);
}

void write_byte(const unique_fd& to) { REQUIRE(sys::write(to.get(), "x", 1) == 1); }

void fill(const unique_fd& with) {
    const std::array<char, 4096> block{};
    while (sys::write(with.get(), block.data(), block.size()) > 0) {
    }
}

void drain(const unique_fd& from) {
    std::array<char, 4096> block{};
    while (sys::read(from.get(), block.data(), block.size()) > 0) {
    }
}

}  // namespace

TEST_CASE("reactor: a fiber waits for an owned descriptor while others run") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        const watched both{pipe.read};
        std::string order;
        auto reader = coir::spawn([&, fd = pipe.read.get()] {
            order += "waits ";
            CHECK(wait(fd, direction::read) == outcome::woken);
            order += "reads";
        });
        coir::this_fiber::yield();
        order += "writes ";
        write_byte(pipe.write);
        reader.join();
        CHECK(order == "waits writes reads");
    });
}

TEST_CASE("reactor: an owned descriptor counts as ready in both directions until a call returns EAGAIN") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        const watched both{pipe.read};
        CHECK(this_reactor()[pipe.read.get()].readable);
        CHECK(this_reactor()[pipe.read.get()].writable);
        CHECK_FALSE(this_reactor()[pipe.read.get()].eagain_alone_clears);
    });
}

TEST_CASE("reactor: an event marks the descriptor readable, even if no fiber waits") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        const auto other_pipe = make_pipe();
        const watched first{pipe.read}, second{other_pipe.read};
        this_reactor()[pipe.read.get()].readable = false;
        write_byte(pipe.write);
        write_byte(other_pipe.write);
        CHECK(wait(other_pipe.read.get(), direction::read) == outcome::woken);
        CHECK(this_reactor()[pipe.read.get()].readable);
    });
}

TEST_CASE("reactor: writability is watched from the first wait on, and an earlier event is not missed") {
    in_scheduler([] {
        const auto sockets = make_sockets();
        const watched ours{sockets.one};
        fill(sockets.one);
        CHECK(wait(sockets.one.get(), direction::write, 1ms) == outcome::timed_out);
        auto writer = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::write); });
        coir::this_fiber::yield();
        drain(sockets.two);
        CHECK(writer.get() == outcome::woken);

        // Drained before the wait starts.
        fill(sockets.one);
        drain(sockets.two);
        CHECK(wait(sockets.one.get(), direction::write) == outcome::woken);
    });
}

TEST_CASE("reactor: two fibers wait for the two directions of one descriptor") {
    in_scheduler([] {
        const auto sockets = make_sockets();
        const watched ours{sockets.one};
        fill(sockets.one);
        auto reader = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::read); });
        auto writer = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::write); });
        coir::this_fiber::yield();
        write_byte(sockets.two);
        CHECK(reader.get() == outcome::woken);
        CHECK_FALSE(writer.done());
        drain(sockets.two);
        CHECK(writer.get() == outcome::woken);
    });
}

TEST_CASE("reactor: the end of the peer's output makes a descriptor readable, not writable") {
    in_scheduler([] {
        const auto sockets = make_sockets();
        const watched ours{sockets.one};
        fill(sockets.one);
        auto reader = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::read); });
        auto writer = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::write, 20ms); });
        coir::this_fiber::yield();
        REQUIRE(::shutdown(sockets.two.get(), SHUT_WR) == 0);
        CHECK(reader.get() == outcome::woken);
        CHECK(this_reactor()[sockets.one.get()].eagain_alone_clears);
        CHECK(writer.get() == outcome::timed_out);
    });
}

TEST_CASE("reactor: a hang-up wakes both directions, and afterwards only EAGAIN clears readiness") {
    in_scheduler([] {
        auto sockets = make_sockets();
        const watched ours{sockets.one};
        fill(sockets.one);
        auto reader = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::read); });
        auto writer = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::write); });
        coir::this_fiber::yield();
        sockets.two = unique_fd{};
        CHECK(reader.get() == outcome::woken);
        CHECK(writer.get() == outcome::woken);
        CHECK(this_reactor()[sockets.one.get()].eagain_alone_clears);
    });
}

TEST_CASE("reactor: removing a descriptor ends the waits on it with the outcome closed") {
    in_scheduler([] {
        const auto sockets = make_sockets();
        this_reactor().add(sockets.one.get());
        fill(sockets.one);
        auto reader = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::read); });
        auto writer = coir::spawn([fd = sockets.one.get()] { return wait(fd, direction::write); });
        coir::this_fiber::yield();
        this_reactor().remove(sockets.one.get());
        CHECK(reader.get() == outcome::closed);
        CHECK(writer.get() == outcome::closed);
    });
}

TEST_CASE("reactor: an event of a closed descriptor does not reach the next descriptor with the same number") {
    in_scheduler([] {
        auto old_pipe = make_pipe();
        const int number = old_pipe.read.get();
        this_reactor().add(number);
        write_byte(old_pipe.write);  // an event that no fiber waits for
        this_reactor().remove(number);
        const auto new_pipe = make_pipe();
        REQUIRE(::dup3(new_pipe.read.get(), number, O_CLOEXEC) == number);
        this_reactor().add(number);
        CHECK(wait(number, direction::read, 5ms) == outcome::timed_out);
        write_byte(new_pipe.write);
        CHECK(wait(number, direction::read) == outcome::woken);
        this_reactor().remove(number);
    });
}

TEST_CASE("reactor: a descriptor that epoll cannot watch is refused with an error that names it, and can be closed") {
    in_scheduler([] {
        char name[] = "/tmp/coir-test-XXXXXX";
        const unique_fd file{::mkstemp(name)};
        REQUIRE(file);
        ::unlink(name);
        try {
            this_reactor().add(file.get());
            FAIL("a regular file was taken");
        } catch (const std::system_error& refused) {
            CHECK(refused.code() == std::errc::operation_not_permitted);
            CHECK(std::string{refused.what()}.find("descriptor " + std::to_string(file.get())) != std::string::npos);
        }
        CHECK_THROWS_AS(this_reactor().add(54'321), std::system_error);
    });
}

TEST_CASE("reactor: adding a descriptor twice aborts") {
    const auto how = coir::test::in_child([] {
        in_scheduler([] {
            const auto pipe = make_pipe();
            this_reactor().add(pipe.read.get());
            this_reactor().add(pipe.read.get());
        });
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("a descriptor is added twice"));
}

TEST_CASE("reactor: large descriptor numbers work") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        const unique_fd large{::fcntl(pipe.read.get(), F_DUPFD_CLOEXEC, 900)};
        REQUIRE(large);
        const watched ours{large};
        write_byte(pipe.write);
        CHECK(wait(large.get(), direction::read) == outcome::woken);
    });
}

TEST_CASE("reactor: a wait that timed out is removed, and its event wakes the next wait") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        const watched ours{pipe.read};
        CHECK(wait(pipe.read.get(), direction::read, 1ms) == outcome::timed_out);
        auto next = coir::spawn([fd = pipe.read.get()] { return wait(fd, direction::read); });
        coir::this_fiber::yield();
        write_byte(pipe.write);
        CHECK(next.get() == outcome::woken);
    });
}

TEST_CASE("reactor: waits for borrowed descriptors return at once if ready, and otherwise wait") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        CHECK(wait_borrowed(pipe.write.get(), direction::write) == outcome::woken);
        CHECK(wait_borrowed(pipe.read.get(), direction::read, 1ms) == outcome::timed_out);
        auto reader = coir::spawn([fd = pipe.read.get()] { return wait_borrowed(fd, direction::read); });
        coir::this_fiber::yield();
        write_byte(pipe.write);
        CHECK(reader.get() == outcome::woken);
        // Still readable: waits are level-triggered.
        CHECK(wait_borrowed(pipe.read.get(), direction::read) == outcome::woken);
    });
}

TEST_CASE("reactor: all fibers that wait for a borrowed descriptor are woken, each for its own direction") {
    in_scheduler([] {
        const auto sockets = make_sockets();
        fill(sockets.one);
        std::vector<coir::fiber<outcome>> readers;
        for (int i = 0; i < 3; ++i) {
            readers.push_back(coir::spawn([fd = sockets.one.get()] { return wait_borrowed(fd, direction::read); }));
        }
        auto writer = coir::spawn([fd = sockets.one.get()] { return wait_borrowed(fd, direction::write); });
        coir::this_fiber::yield();
        write_byte(sockets.two);
        for (auto& each : readers) CHECK(each.get() == outcome::woken);
        CHECK_FALSE(writer.done());
        drain(sockets.two);
        CHECK(writer.get() == outcome::woken);
    });
}

TEST_CASE("reactor: if one of two waits for a borrowed descriptor ends early, the other is still woken") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        auto patient = coir::spawn([fd = pipe.read.get()] { return wait_borrowed(fd, direction::read); });
        coir::this_fiber::yield();
        CHECK(wait_borrowed(pipe.read.get(), direction::read, 1ms) == outcome::timed_out);
        write_byte(pipe.write);
        CHECK(patient.get() == outcome::woken);
    });
}

TEST_CASE("reactor: detects that the program closed a borrowed descriptor and its number names another file") {
    in_scheduler([] {
        auto old_pipe = make_pipe();
        const int number = old_pipe.read.get();
        CHECK(wait_borrowed(number, direction::read, 1ms) == outcome::timed_out);
        old_pipe.read = unique_fd{};
        const auto new_pipe = make_pipe();
        const unique_fd again{new_pipe.read.get() == number ? ::dup(number) : ::dup2(new_pipe.read.get(), number)};
        write_byte(new_pipe.write);
        CHECK(wait_borrowed(number, direction::read) == outcome::woken);
    });
}

TEST_CASE("reactor: a regular file is always ready, and a closed or negative descriptor is an error") {
    in_scheduler([] {
        char name[] = "/tmp/coir-test-XXXXXX";
        const unique_fd file{::mkstemp(name)};
        ::unlink(name);
        CHECK(wait_borrowed(file.get(), direction::read) == outcome::woken);
        CHECK(wait_borrowed(file.get(), direction::write) == outcome::woken);
        for (const int bad : {-1, 54'321}) {
            try {
                wait_borrowed(bad, direction::read);
                FAIL("waited for ", bad);
            } catch (const std::system_error& refused) {
                CHECK(refused.code() == std::errc::bad_file_descriptor);
            }
        }
    });
}

TEST_CASE("reactor: a write in another thread wakes a sleeping scheduler") {
    in_scheduler([] {
        const auto pipe = make_pipe();
        const watched ours{pipe.read};
        const coir::test::other_thread other{[&] {
            std::this_thread::sleep_for(5ms);
            write_byte(pipe.write);
        }};
        CHECK(wait(pipe.read.get(), direction::read) == outcome::woken);
    });
}

TEST_CASE("reactor: more descriptors may become ready at once than one poll returns") {
    in_scheduler([] {
        constexpr int many = 400;
        std::vector<pipe_ends> pipes;
        std::vector<coir::fiber<outcome>> readers;
        for (int i = 0; i < many; ++i) {
            pipes.push_back(make_pipe());
            readers.push_back(
                coir::spawn([fd = pipes.back().read.get()] { return wait_borrowed(fd, direction::read); }));
        }
        coir::this_fiber::yield();
        for (const auto& each : pipes) write_byte(each.write);
        for (auto& each : readers) CHECK(each.get() == outcome::woken);
    });
}
