#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>
#include <coir/thread/offload.hpp>

#include "base/symbols.hpp"
#include "base/unique_fd.hpp"
#include "detect/engine/hooks/resolver_fallbacks.hpp"
#include "detect/engine/hooks/thread_fallbacks.hpp"
#include "detect/reports.hpp"
#include "support/captured_log.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::test::reports;

namespace {

struct socket_pair {
    socket_pair() {
        std::array<int, 2> made{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, made.data()) == 0);
        here = coir::detail::unique_fd{made[0]};
        there = coir::detail::unique_fd{made[1]};
    }
    coir::detail::unique_fd here;
    coir::detail::unique_fd there;
};

/// Runs `body` as a fiber and returns the reports.
reports reports_of(const std::function<void()>& body) {
    const coir::test::captured_log quiet;
    reports seen;
    coir::run(seen.options(), body);
    return seen;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

TEST_CASE("hooks: std::this_thread::sleep_for in a fiber is reported with the call, the line and the fiber") {
    const coir::test::captured_log log;
    reports seen;
    int line = 0;
    int spawn_line = 0;
    coir::run(seen.options(), [&] {
        // clang-format off
        auto fiber = coir::spawn({.name = "sleeper"}, [&] {
            line = __LINE__; std::this_thread::sleep_for(20ms);
        }); spawn_line = __LINE__ - 2;
        // clang-format on
        fiber.get();
    });

    REQUIRE(seen.blocked("nanosleep").size() == 1);
    const coir::blocking_report report = seen.blocked("nanosleep").front();
    CHECK(report.category == coir::blocking_class::sleep);
    CHECK(report.held >= 20ms);
    CHECK(report.count == 1);
    CHECK(report.fiber_name == "sleeper");
    CHECK(report.fiber_id == 2);
    CHECK_FALSE(report.stack.empty());
    CHECK(log.count("[warning]") == 1);
    CHECK(log.count("\"sleeper\" held its thread for ") == 1);
    CHECK(log.count("asleep in nanosleep (sleep); use coir::this_fiber::sleep_for") == 1);
    if (coir::detail::has_source_lines()) {
        CHECK(log.count("hooks_test.cpp:" + std::to_string(line) + ": fiber #2") == 1);
        const int spawned_at = std::stoi(report.spawn_site.substr(report.spawn_site.rfind(':') + 1));
        CHECK(file_name(report.spawn_site).starts_with("hooks_test.cpp:"));
        CHECK(spawned_at >= spawn_line);
        CHECK(spawned_at <= spawn_line + 2);
    }
}

TEST_CASE("hooks: close of a TCP socket with SO_LINGER is an error, and no other close is a finding") {
    for (const auto engine : {coir::blocking_engine::hooks, coir::blocking_engine::trap}) {
        const coir::test::captured_log quiet;
        reports seen{{.engine = engine}};
        const auto make = [](int family, int seconds) {
            const int fd = ::socket(family, SOCK_STREAM, 0);
            const linger wait{1, seconds};
            REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof wait) == 0);
            return fd;
        };
        coir::run(seen.options(), [&] {
            ::close(make(AF_INET, 0));
            ::close(make(AF_UNIX, 5));
            ::close(-1);
        });
        CHECK(seen.all().empty());
        coir::run(seen.options(), [&] { ::close(make(AF_INET, 5)); });
        REQUIRE(seen.all().size() == 1);
        CHECK(seen.all().front().call == "close");
        CHECK(seen.all().front().category == coir::blocking_class::network);
        CHECK(seen.all().front().level == coir::blocking_level::error);
    }
}

TEST_CASE("hooks: getnameinfo is found by name, and numbers are no wait") {
    const reports seen = reports_of([] {
        const sockaddr_in who{AF_INET, htons(80), {htonl(INADDR_LOOPBACK)}, {}};
        const auto* const address = reinterpret_cast<const sockaddr*>(&who);
        std::array<char, 256> text{};
        ::getnameinfo(address, sizeof who, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
        CHECK(std::string{text.data()} == "127.0.0.1");
        ::getnameinfo(address, sizeof who, nullptr, 0, text.data(), text.size(), 0);
        CHECK(::getnameinfo(address, sizeof who, text.data(), text.size(), nullptr, 0, 0) == 0);
    });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.all().front().call == "getnameinfo");
    CHECK(seen.all().front().category == coir::blocking_class::dns);
}

TEST_CASE("hooks: what stands in for getnameinfo and pthread_barrier_wait in a static program does the same") {
    namespace fallback = coir::detail::static_fallback;
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(80);
    six.sin6_addr = in6addr_loopback;
    const sockaddr_in four{AF_INET, htons(65'000), {htonl(0xC0000201)}, {}};
    const auto is_the_same = [](const void* address, socklen_t bytes, int flags, socklen_t space) {
        const auto* const at = static_cast<const sockaddr*>(address);
        std::array<char, 256> expected_host{}, expected_service{}, host{}, service{};
        const int expected =
            ::getnameinfo(at, bytes, expected_host.data(), space, expected_service.data(), space, flags);
        CHECK(fallback::getnameinfo(at, bytes, host.data(), space, service.data(), space, flags) == expected);
        if (expected == 0) CHECK(host == expected_host);
        if (expected == 0) CHECK(service == expected_service);
    };
    for (const int flags : {NI_NUMERICHOST | NI_NUMERICSERV, NI_NUMERICHOST, NI_NUMERICHOST | NI_DGRAM}) {
        for (const socklen_t space : {256U, 2U}) {
            is_the_same(&six, sizeof six, flags, space);
            is_the_same(&four, sizeof four, flags, space);
        }
    }
    is_the_same(&four, 4, NI_NUMERICHOST, 256);
    pthread_barrier_t barrier;
    ::pthread_barrier_init(&barrier, nullptr, 3);
    std::atomic<int> serial{0};
    std::atomic<int> arrived{0};
    const auto meet = [&] {
        for (int round = 1; round <= 2000; ++round) {
            ++arrived;
            if (fallback::pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) ++serial;
            if (arrived < 3 * round) arrived = -1'000'000;  // one thread has left before all had come
        }
    };
    std::thread one{meet};
    std::thread two{meet};
    meet();
    one.join();
    two.join();
    ::pthread_barrier_destroy(&barrier);
    CHECK(serial == 2000);
    CHECK(arrived == 6000);
}

TEST_CASE("hooks: the same stack is logged once, and counted") {
    const coir::test::captured_log log;
    reports seen;
    coir::run(seen.options(), [] {
        for (int i = 0; i < 5; ++i) {
            coir::spawn([] { std::this_thread::sleep_for(2ms); }).get();
        }
    });
    REQUIRE(seen.blocked("nanosleep").size() == 1);
    CHECK(seen.blocked("nanosleep").front().count == 5);
    CHECK(seen.blocked("nanosleep").front().total >= 10ms);
    CHECK(log.count("held its thread ") == 1);
    CHECK(log.count("fibers held their thread 5 times") == 1);
}

TEST_CASE("hooks: different lines are different reports") {
    const reports seen = reports_of([] {
        std::this_thread::sleep_for(1ms);
        ::usleep(1000);
        ::usleep(1000);
    });
    CHECK(seen.blocked("nanosleep").size() == 3);
}

TEST_CASE("hooks: coir's own sleep, yield and offload are not reported") {
    const reports seen = reports_of([] {
        coir::this_fiber::sleep_for(5ms);
        coir::this_fiber::yield();
        coir::offload([] { std::this_thread::sleep_for(5ms); });
    });
    CHECK(seen.all().empty());
}

TEST_CASE("hooks: outside of a run nothing is reported, and calls work as usual") {
    const coir::test::captured_log log;
    const auto before = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(2ms);
    CHECK(std::chrono::steady_clock::now() - before >= 2ms);
    CHECK(log.text().empty());
}

TEST_CASE("hooks: a receive that waits for its peer is reported, with the replacement to use") {
    const socket_pair pair;
    const coir::test::captured_log log;
    reports seen;
    coir::run(seen.options(), [&] {
        std::thread peer{[&] {
            std::this_thread::sleep_for(100ms);
            CHECK(::send(pair.there.get(), "x", 1, 0) == 1);
        }};
        char got = 0;
        CHECK(::recv(pair.here.get(), &got, 1, 0) == 1);
        CHECK(got == 'x');
        const coir::allow_blocking permit{"the thread has ended by now"};
        peer.join();
    });
    REQUIRE(seen.blocked("recv").size() == 1);
    CHECK(seen.blocked("recv").front().category == coir::blocking_class::network);
    CHECK(log.count("use coir::net::tcp_stream") >= 1);
}

TEST_CASE("hooks: a receive from a non-blocking socket, or with MSG_DONTWAIT, is not reported") {
    const socket_pair pair;
    const reports seen = reports_of([&] {
        char got = 0;
        CHECK(::recv(pair.here.get(), &got, 1, MSG_DONTWAIT) == -1);
        CHECK(errno == EAGAIN);
        REQUIRE(::fcntl(pair.here.get(), F_SETFL, O_NONBLOCK) == 0);
        CHECK(::recv(pair.here.get(), &got, 1, 0) == -1);
        CHECK(errno == EAGAIN);
        CHECK(::read(pair.here.get(), &got, 1) == -1);
        CHECK(errno == EAGAIN);
    });
    CHECK(seen.all().empty());
}

TEST_CASE("hooks: a call that waits for a peer is an error and logged, also if it did not block") {
    const socket_pair pair;
    REQUIRE(::send(pair.there.get(), "x", 1, 0) == 1);
    const coir::test::captured_log log;
    reports seen;
    coir::run(seen.options(), [&] {
        char got = 0;
        CHECK(::recv(pair.here.get(), &got, 1, 0) == 1);
    });
    REQUIRE(seen.of(coir::blocking_kind::latent, "recv").size() == 1);
    CHECK_FALSE(seen.of(coir::blocking_kind::latent, "recv").front().stack.empty());
    CHECK(seen.of(coir::blocking_kind::latent, "recv").front().level == coir::blocking_level::error);
    CHECK(log.count("called recv (network), which can hold its thread") == 1);
}

TEST_CASE("hooks: poll with a timeout of zero does not count as a wait") {
    const reports seen = reports_of([] {
        CHECK(::poll(nullptr, 0, 0) == 0);
        CHECK(::poll(nullptr, 0, 5) == 0);
    });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.blocked("poll").front().category == coir::blocking_class::sleep);
}

TEST_CASE("hooks: reading a regular file is not reported, waiting for an eventfd is") {
    const coir::test::temporary_file file{"content"};
    const reports seen = reports_of([&] {
        const coir::detail::unique_fd fd{::open(file.path().c_str(), O_RDONLY)};
        std::array<char, 16> into;
        CHECK(::read(fd.get(), into.data(), into.size()) == 7);

        const coir::detail::unique_fd event{::eventfd(0, 0)};
        std::thread writer{[&] {
            std::this_thread::sleep_for(100ms);
            CHECK(::eventfd_write(event.get(), 1) == 0);
        }};
        std::uint64_t count = 0;
        CHECK(::read(event.get(), &count, sizeof count) == sizeof count);
        const coir::allow_blocking permit{"the thread has ended by now"};
        writer.join();
    });
    REQUIRE(seen.all().size() == 1);
    REQUIRE(seen.blocked("eventfd_read").size() == 1);
    CHECK(seen.blocked("eventfd_read").front().category == coir::blocking_class::pipe);
}

TEST_CASE("hooks: waits for commands, child processes, threads and semaphores are reported by name") {
    const reports seen = reports_of([] {
        CHECK(std::system("sleep 0.02") == 0);

        const pid_t child = ::fork();
        if (child == 0) {
            timespec length{0, 100'000'000};
            ::nanosleep(&length, nullptr);
            ::_exit(7);
        }
        int status = 0;
        CHECK(::waitpid(child, &status, 0) == child);
        CHECK(WEXITSTATUS(status) == 7);

        std::thread{[] { std::this_thread::sleep_for(100ms); }}.join();

        sem_t semaphore;
        ::sem_init(&semaphore, 0, 1);
        CHECK(::sem_wait(&semaphore) == 0);
        std::thread poster{[&] {
            std::this_thread::sleep_for(100ms);
            ::sem_post(&semaphore);
        }};
        CHECK(::sem_wait(&semaphore) == 0);
        const coir::allow_blocking permit{"the thread has ended by now"};
        poster.join();
    });
    REQUIRE(seen.blocked("system").size() == 1);
    CHECK(seen.blocked("system").front().category == coir::blocking_class::process);
    CHECK(seen.blocked("waitpid").size() == 1);
    CHECK(seen.blocked("pthread_join").size() == 1);
    REQUIRE(seen.blocked("sem_wait").size() == 1);
    CHECK(seen.blocked("sem_wait").front().category == coir::blocking_class::lock);
}

TEST_CASE("hooks: waiting for a file lock is reported, taking a free one is not") {
    const coir::test::temporary_file file;
    const coir::detail::unique_fd mine{::open(file.path().c_str(), O_RDWR)};
    const coir::detail::unique_fd other{::open(file.path().c_str(), O_RDWR)};
    REQUIRE(::flock(other.get(), LOCK_EX) == 0);
    const reports seen = reports_of([&] {
        CHECK(::flock(mine.get(), LOCK_EX | LOCK_NB) == -1);
        CHECK(errno == EWOULDBLOCK);
        std::thread holder{[&] {
            std::this_thread::sleep_for(100ms);
            ::flock(other.get(), LOCK_UN);
        }};
        CHECK(::flock(mine.get(), LOCK_EX) == 0);
        CHECK(::flock(mine.get(), LOCK_UN) == 0);
        const coir::allow_blocking permit{"the thread has ended by now"};
        holder.join();
    });
    CHECK(seen.blocked("flock").size() == 1);
    CHECK(seen.all().size() == 1);
}

TEST_CASE("hooks: a name lookup in a fiber is reported, without the C library's internal calls") {
    const reports seen = reports_of([] {
        addrinfo* found = nullptr;
        REQUIRE(::getaddrinfo("localhost", "80", nullptr, &found) == 0);
        ::freeaddrinfo(found);
    });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.all().front().call == "getaddrinfo");
    CHECK(seen.all().front().category == coir::blocking_class::dns);
}

TEST_CASE("hooks: a read of a FILE waits for a pipe only if its buffer does not have the answer") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    FILE* const file = ::fdopen(ends[0], "r");
    const coir::detail::unique_fd writes{ends[1]};
    REQUIRE(::write(writes.get(), "one\ntwo\nthree", 13) == 13);
    std::array<char, 16> line{};
    const reports first = reports_of([&] { CHECK(std::fgets(line.data(), line.size(), file) != nullptr); });
    CHECK(first.all().size() == 1);
    CHECK(first.of(coir::blocking_kind::latent, "read").size() == 1);

    const reports buffered = reports_of([&] {
        CHECK(std::fgets(line.data(), line.size(), file) != nullptr);
        CHECK(std::getc(file) == 't');
        CHECK(std::ungetc('t', file) == 't');
        CHECK(std::fread(line.data(), 1, 2, file) == 2);
    });
    CHECK(buffered.all().empty());

    const reports more = reports_of([&] {
        std::thread writer{[&] {
            std::this_thread::sleep_for(100ms);
            CHECK(::write(writes.get(), "\n", 1) == 1);
        }};
        CHECK(std::fgets(line.data(), line.size(), file) != nullptr);
        const coir::allow_blocking permit{"the thread has ended by now"};
        writer.join();
    });
    REQUIRE(more.blocked("read").size() == 1);
    CHECK(more.blocked("read").front().category == coir::blocking_class::pipe);
    CHECK(std::string{line.data()} == "ree\n");
    std::fclose(file);
}

TEST_CASE("hooks: output to a FILE is observed when it leaves the buffer") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const coir::detail::unique_fd reads{ends[0]};
    FILE* const file = ::fdopen(ends[1], "w");
    const reports seen = reports_of([&] {
        CHECK(std::fputs("one", file) >= 0);
        CHECK(std::fputc(' ', file) == ' ');
        CHECK(std::fwrite("two", 1, 3, file) == 3);
        CHECK(std::fprintf(file, " %d", 3) == 2);
        CHECK(std::fflush(file) == 0);
        CHECK(std::fflush(file) == 0);
    });
    CHECK(seen.all().size() == 1);
    CHECK(seen.of(coir::blocking_kind::latent, "write").size() == 1);
    std::array<char, 16> got{};
    CHECK(::read(reads.get(), got.data(), got.size()) == 9);
    CHECK(std::string{got.data()} == "one two 3");
    std::fclose(file);
}

TEST_CASE("hooks: <cstdio> on a regular file is not reported") {
    const coir::test::temporary_file on_disk{"17 words\n"};
    const reports seen = reports_of([&] {
        FILE* const file = std::fopen(on_disk.path().c_str(), "r+");
        REQUIRE(file != nullptr);
        int number = 0;
        CHECK(std::fscanf(file, "%d", &number) == 1);
        CHECK(number == 17);
        CHECK(std::getc(file) == ' ');
        std::rewind(file);
        CHECK(std::fprintf(file, "%s", "18") == 2);
        CHECK(std::fclose(file) == 0);
    });
    CHECK(seen.all().empty());
    CHECK(on_disk.content() == "18 words\n");
}

TEST_CASE("hooks: a system call by number is judged as the function of its name") {
    const socket_pair pair;
    const reports seen = reports_of([&] {
        const timespec length{0, 1'000'000};
        CHECK(::syscall(SYS_nanosleep, &length, nullptr) == 0);
        CHECK(::syscall(SYS_gettid) == ::gettid());
        CHECK(::syscall(SYS_read, -1, nullptr, 0) == -1);
        CHECK(errno == EBADF);
        char got = 0;
        CHECK(::syscall(SYS_recvfrom, pair.here.get(), &got, 1, MSG_DONTWAIT, nullptr, nullptr) == -1);
        CHECK(errno == EAGAIN);
    });
    CHECK(seen.all().size() == 1);
    CHECK(seen.blocked("nanosleep").size() == 1);
}

TEST_CASE("hooks: opening a file is not reported, and its flags and mode arrive") {
    const coir::test::temporary_file file;
    const std::string made = file.path() + ".made";
    const reports seen = reports_of([&] {
        const mode_t mask = ::umask(0);
        const coir::detail::unique_fd fd{::open(made.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640)};
        ::umask(mask);
        REQUIRE(fd.get() >= 0);
        struct stat about {};
        CHECK(::fstat(fd.get(), &about) == 0);
        CHECK((about.st_mode & 0777) == 0640);
        CHECK(::fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
        CHECK(::fcntl(fd.get(), F_SETFD, 0) == 0);
        CHECK(::fcntl(fd.get(), F_GETFD) == 0);
        const coir::detail::unique_fd copy{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 100)};
        CHECK(copy.get() >= 100);
        CHECK(::openat(AT_FDCWD, made.c_str(), O_CREAT | O_EXCL, 0600) == -1);
        CHECK(errno == EEXIST);
    });
    CHECK(seen.all().empty());
    ::unlink(made.c_str());
}

TEST_CASE("hooks: a child of vfork has no calls of the fiber") {
    const reports seen = reports_of([] {
        const pid_t child = ::vfork();
        if (child == 0) {
            ::usleep(1000);
            ::_exit(7);
        }
        const coir::allow_blocking permit{"the child has ended by now"};
        int status = 0;
        CHECK(::waitpid(child, &status, 0) == child);
        CHECK(WEXITSTATUS(status) == 7);
    });
    CHECK(seen.all().empty());
}

TEST_CASE("hooks: the lookup of a numeric address is not reported") {
    const reports seen = reports_of([] {
        addrinfo* found = nullptr;
        CHECK(::getaddrinfo("127.0.0.1", "80", nullptr, &found) == 0);
        ::freeaddrinfo(found);
        CHECK(::gethostbyname("127.0.0.1") != nullptr);
    });
    CHECK(seen.all().empty());
}

TEST_CASE("hooks: allow_blocking permits blocking calls of its fiber, but not of others") {
    const reports seen = reports_of([] {
        auto permitted = coir::spawn([] {
            const coir::allow_blocking outer{"a test"};
            {
                const coir::allow_blocking inner{"a test"};
                ::usleep(1000);
            }
            coir::this_fiber::yield();
            ::usleep(1000);
        });
        auto other = coir::spawn({.name = "other"}, [] { ::usleep(1000); });
        permitted.get();
        other.get();
    });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.all().front().fiber_name == "other");
}

TEST_CASE("hooks: errno is that of the call") {
    const socket_pair pair;
    const reports seen = reports_of([&] {
        errno = ENOTTY;
        ::usleep(1000);
        CHECK(errno == ENOTTY);
        char into = 0;
        CHECK(::recv(-1, &into, 1, 0) == -1);
        CHECK(errno == EBADF);
    });
    CHECK(seen.blocked("nanosleep").size() == 1);
}

TEST_CASE("hooks: the engine watch has no hooks") {
    const coir::test::captured_log log;
    reports seen{{.engine = coir::blocking_engine::watch}};
    coir::run(seen.options(), [] {
        CHECK(coir::active_engine().on);
        CHECK(coir::active_engine().engine == coir::blocking_engine::watch);
        ::usleep(1000);
    });
    CHECK(seen.all().empty());
}

TEST_CASE("hooks: are the default engine") {
    const coir::test::captured_log log;
    CHECK_FALSE(coir::active_engine().on);
    coir::run([] {
        const coir::engine_status now = coir::active_engine();
        CHECK(now.on);
        CHECK(now.engine == coir::blocking_engine::hooks);
        if (!coir::test::sanitized) CHECK(now.missing.empty());
    });
    CHECK(log.text().empty());
}
