#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::detail::unique_fd;
namespace io = coir::io;

namespace {

/// A child process whose standard input and output are these files; it runs `body` in a fiber.
ending with(int input, int output, const std::function<void()>& body) {
    return in_child([&] {
        ::dup2(input, 0);
        ::dup2(output, 1);
        in_scheduler(body);
    });
}

/// The test for every kind of standard stream: reads a line and answers it. The line is typed only after another fiber
/// has run while this one waited; a stream that blocks its thread waits forever.
void answer_a_line(int ready) {
    auto in = io::standard_input();
    auto out = io::standard_output();
    auto other = coir::spawn([&] {
        coir::this_fiber::sleep_for(1ms);
        static_cast<void>(!::write(ready, "x", 1));
    });
    out.write_all("got " + read_text(in));
    other.get();
}

void answer_at_once() {
    auto in = io::standard_input();
    auto out = io::standard_output();
    out.write_all("got " + read_text(in));
}

std::string read_now(int fd) {
    std::array<char, 4096> place;
    const ssize_t n = ::read(fd, place.data(), place.size());
    return n > 0 ? std::string{place.data(), static_cast<std::size_t>(n)} : std::string{};
}

struct two_ends {
    unique_fd near, far;
};

two_ends pipe_for_child() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

two_ends sockets_for_child() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

/// A user, who types a line into `to` when the program waits for it.
class typist {
public:
    explicit typist(int to) : told_{pipe_for_child()}, process_{::fork()} {
        if (process_ != 0) return;
        char byte = 0;
        if (::read(told_.near.get(), &byte, 1) == 1) static_cast<void>(!::write(to, "hello\n", 6));
        ::_exit(0);
    }
    ~typist() { ::waitpid(process_, nullptr, 0); }
    typist(const typist&) = delete;
    typist& operator=(const typist&) = delete;

    [[nodiscard]] int ready() const { return told_.far.get(); }

private:
    two_ends told_;
    pid_t process_;
};

/// The two sides of a terminal: the user's and the program's.
two_ends terminal() {
    unique_fd user{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(user);
    REQUIRE(::grantpt(user.get()) == 0);
    REQUIRE(::unlockpt(user.get()) == 0);
    unique_fd program{::open(::ptsname(user.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(program);
    return {std::move(user), std::move(program)};
}

bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

}  // namespace

TEST_CASE("standard streams: reads from a terminal wait, and the shell's terminal settings do not change") {
    const two_ends at = terminal();
    const typist user{at.near.get()};
    const ending how = with(at.far.get(), at.far.get(), [&] { answer_a_line(user.ready()); });
    CHECK_MESSAGE(!how.died(), how.output);
    std::string seen;
    while (seen.find("got hello") == std::string::npos) {
        const std::string more = read_now(at.near.get());
        REQUIRE_FALSE(more.empty());
        seen += more;
    }
    CHECK(is_blocking(at.far.get()));
}

TEST_CASE("standard streams: reads from pipes wait, and the pipes' flags do not change") {
    const two_ends in = pipe_for_child(), out = pipe_for_child();
    const typist user{in.far.get()};
    const ending how = with(in.near.get(), out.far.get(), [&] { answer_a_line(user.ready()); });
    CHECK_MESSAGE(!how.died(), how.output);
    CHECK(read_now(out.near.get()) == "got hello\n");
    CHECK(is_blocking(in.near.get()));
    CHECK(is_blocking(out.far.get()));
}

TEST_CASE("standard streams: reads from sockets wait, and the sockets' flags do not change") {
    const two_ends at = sockets_for_child();
    const typist user{at.near.get()};
    const ending how = with(at.far.get(), at.far.get(), [&] { answer_a_line(user.ready()); });
    CHECK_MESSAGE(!how.died(), how.output);
    CHECK(read_now(at.near.get()) == "got hello\n");
    CHECK(is_blocking(at.far.get()));
}

TEST_CASE("standard streams: regular files are accessed from the shell's offset on") {
    const temporary_folder here;
    const unique_fd in{::open(here.file("in").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)};
    REQUIRE(::write(in.get(), "skipped text", 12) == 12);
    REQUIRE(::lseek(in.get(), 8, SEEK_SET) == 8);
    const unique_fd out{::open(here.file("out").c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600)};
    REQUIRE(::write(out.get(), "before ", 7) == 7);
    const ending how = with(in.get(), out.get(), answer_at_once);
    CHECK_MESSAGE(!how.died(), how.output);
    REQUIRE(::lseek(out.get(), 0, SEEK_SET) == 0);
    CHECK(read_now(out.get()) == "before got text");
}

TEST_CASE("standard streams: /dev/null is empty, and accepts everything") {
    const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const ending how = with(null.get(), null.get(), answer_at_once);
    CHECK_MESSAGE(!how.died(), how.output);
}

TEST_CASE("standard streams: output without a reader throws broken_pipe, and raises no SIGPIPE") {
    two_ends out = pipe_for_child();
    out.near = unique_fd{};
    const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const ending how = with(null.get(), out.far.get(), [] {
        const std::errc failure = error_of([] { io::standard_output().write_all("x"); });
        if (failure != std::errc::broken_pipe) throw std::logic_error{"no broken pipe"};
    });
    CHECK_MESSAGE(!how.died(), how.output);
}

TEST_CASE("standard streams: a stream that the program was started without is refused, and named") {
    const ending how = in_child([] {
        ::close(0);
        try {
            static_cast<void>(io::standard_input());
        } catch (const std::system_error& failure) {
            const bool is_named = std::string{failure.what()}.find("io::standard_input on descriptor 0") == 0;
            if (failure.code() == std::errc::bad_file_descriptor && is_named) return;
        }
        throw std::logic_error{"not refused"};
    });
    CHECK_MESSAGE(!how.died(), how.output);
}

TEST_CASE("standard streams: closing standard_error does not close the descriptor of the program") {
    const two_ends out = pipe_for_child();
    const ending how = in_child([&] {
        ::dup2(out.far.get(), 2);
        in_scheduler([] {
            auto errors = io::standard_error();
            errors.write_all("one ");
            errors.close();
            io::standard_error().write_all("two");
        });
    });
    CHECK_MESSAGE(!how.died(), how.output);
    CHECK(read_now(out.near.get()) == "one two");
}
