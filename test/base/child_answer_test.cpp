#include "base/child_answer.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/seccomp.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <linux/seccomp.h>
#include <memory>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using coir::detail::ask_child;
using coir::detail::child_answer;
using coir::detail::child_limits;
using coir::test::require;
using enum child_answer::ending;

namespace {

constexpr child_limits short_time{.time = 500ms};

/// Memory that a child shares.
template <class T> T& shared() {
    void* const memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    return *new (memory) T{};
}

}  // namespace

TEST_CASE("ask_child: returns the answer, however long it is") {
    CHECK(ask_child([] { return std::string{}; }).how == answered);
    const child_answer answer = ask_child([] { return std::string(1'000'000, 'x'); });
    CHECK(answer.how == answered);
    CHECK(answer.text == std::string(1'000'000, 'x'));
}

TEST_CASE("ask_child: whatever ends the child, it does not end the program") {
    CHECK(ask_child([]() -> std::string {
              ::raise(SIGKILL);
              return "";
          }).how == died);
    CHECK(ask_child([]() -> std::string { throw std::bad_alloc{}; }).how == died);
    CHECK(ask_child([]() -> std::string { ::_exit(0); }).how == died);
    CHECK(ask_child(
              []() -> std::string {
                  for (;;) ::pause();
              },
              short_time)
              .how == took_long);
    CHECK(ask_child(
              []() -> std::string {
                  for (;;) ::getppid();
              },
              short_time)
              .how == took_long);
}

TEST_CASE("ask_child: a crash runs none of the program's signal handlers, an exit none of its functions") {
    static std::atomic<int>& ran = shared<std::atomic<int>>();
    const coir::test::ending end = coir::test::in_child([] {
        std::signal(SIGABRT, [](int) { ++ran; });
        std::atexit([] { ++ran; });
        thread_local struct last_words {
            ~last_words() { ++ran; }
            void say() const noexcept {}
        } own;
        own.say();
        require(ask_child([]() -> std::string { std::abort(); }).how == died, "abort");
        require(ask_child([]() -> std::string { std::exit(1); }).how == died, "exit");
        require(ran == 0, "something of the program ran in the child");
        ::_exit(0);
    });
    INFO(end.output);
    CHECK_FALSE(end.died());
}

TEST_CASE("ask_child: the child has no descriptor of the program but the one for its answer") {
    const child_answer answer = ask_child([] {
        std::string open;
        for (int each = 0; each < 1000; ++each) {
            if (::fcntl(each, F_GETFD) >= 0) open += 'x';
        }
        return open;
    });
    CHECK(answer.text == "x");
}

TEST_CASE("ask_child: a program that waits for any child does not see it, and gets no SIGCHLD") {
    static std::atomic<int> signals{0};
    const coir::test::ending end = coir::test::in_child([] {
        std::signal(SIGCHLD, [](int) { ++signals; });
        std::atomic<bool> done{false};
        std::atomic<int> seen{0};
        std::jthread waiting{[&] {
            while (!done) {
                if (::waitpid(-1, nullptr, 0) >= 0 || errno != ECHILD) ++seen;
                siginfo_t about{};
                if (::waitid(P_ALL, 0, &about, WEXITED) >= 0 || errno != ECHILD) ++seen;
            }
        }};
        for (int i = 0; i < 50; ++i)
            require(ask_child([] { return std::string{"here"}; }).text == "here", "the answer");
        done = true;
        waiting.join();
        require(seen == 0, "the program saw the child");
        require(signals == 0, "the program got SIGCHLD");
        require(::waitpid(-1, nullptr, __WALL) == -1 && errno == ECHILD, "a child is left");
    });
    INFO(end.output);
    CHECK_FALSE(end.died());
}

TEST_CASE("ask_child: children of the program stay its own") {
    const coir::test::ending end = coir::test::in_child([] {
        const pid_t own = ::fork();
        if (own == 0) ::_exit(7);
        require(ask_child([] { return std::string{"here"}; }).how == answered, "the answer");
        int how = 0;
        require(::waitpid(-1, &how, 0) == own && WEXITSTATUS(how) == 7, "the program's child");
    });
    INFO(end.output);
    CHECK_FALSE(end.died());
}

TEST_CASE("ask_child: answers while other threads hold locks of malloc" * doctest::skip(coir::test::sanitized)) {
    std::atomic<bool> done{false};
    std::vector<std::jthread> allocating;
    for (int i = 0; i < 20; ++i) {  // more than there are arenas on two cores
        allocating.emplace_back([&] {
            while (!done) std::make_unique<char[]>(5000)[0] = 1;
        });
    }
    int count = 0;
    for (int i = 0; i < 30; ++i) {
        const child_answer answer = ask_child([] {
            std::string text;
            for (int n = 0; n < 100; ++n) text = std::string(static_cast<std::size_t>(n) * 1000, 'x');
            return text;
        });
        count += answer.how == answered ? 1 : 0;
    }
    done = true;
    CHECK(count == 30);
}

TEST_CASE("ask_child: the child gets only so much memory, and a program with 4 GiB has one too" *
          doctest::skip(coir::test::sanitized)) {
    constexpr std::size_t size = std::size_t{4} << 30;
    void* const much =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(much != MAP_FAILED);
    constexpr child_limits little{.memory = std::size_t{64} << 20};
    const auto allocated = [](std::size_t bytes) {
        return [bytes]() -> std::string {
            void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            return memory == MAP_FAILED ? "refused" : "got";
        };
    };
    CHECK(ask_child(allocated(std::size_t{32} << 20), little).text == "got");
    CHECK(ask_child(allocated(std::size_t{128} << 20), little).text == "refused");
    ::munmap(much, size);
}

TEST_CASE("ask_child: says why no child can be started" * doctest::skip(coir::test::sanitized)) {
    const coir::test::ending end = coir::test::in_child([] {
        coir::test::filter_system_call(SYS_clone3, -1, SECCOMP_RET_ERRNO | ENOSYS);
        require(ask_child([] { return std::string{"here"}; }).text == "here", "clone");
        coir::test::filter_system_call(SYS_clone, -1, SECCOMP_RET_ERRNO | EACCES);
        const child_answer answer = ask_child([] { return std::string{}; });
        require(answer.how == refused && answer.error == EACCES, "the reason");
    });
    INFO(end.output);
    CHECK_FALSE(end.died());
}
