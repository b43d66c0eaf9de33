#include "base/log.hpp"
#include "support/death.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using coir::log_level;
using coir::set_log;
using coir::test::in_child;
using coir::test::require;

namespace {

struct printed {
    std::string to_output;
    std::string to_error;
    coir::test::ending how;
};

/// Returns what a child process prints while it runs `body`.
printed printed_by(const std::function<void()>& body) {
    const coir::test::temporary_folder folder;
    const std::string error = folder.file("error");
    printed all;
    all.how = in_child([&] {
        require(::dup2(::open(error.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO) >= 0,
                "dup2");
        body();
    });
    all.to_output = all.how.output;
    std::ifstream file{error};
    all.to_error = {std::istreambuf_iterator<char>{file}, {}};
    return all;
}

bool ends_with_line(const std::string& text, const std::string& line) { return text.ends_with(line + '\n'); }

/// A logger of the program that collects the lines.
class own_logger {
public:
    explicit own_logger(const char* name)
        : logger{std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::ostream_sink_mt>(lines_))} {
        logger->set_pattern("%l|%n|%v");
    }
    [[nodiscard]] std::string text() const { return lines_.str(); }

private:
    std::ostringstream lines_;

public:
    const std::shared_ptr<spdlog::logger> logger;
};

bool says_goodbye = false;

/// Constructed before spdlog's registry, and destroyed after it.
const struct last_object {
    ~last_object() {
        if (says_goodbye) coir::log::info("goodbye");
    }
} last;

}  // namespace

TEST_CASE("log: a function set by the program gets the level and the text") {
    std::vector<std::pair<log_level, std::string>> got;
    set_log([&](log_level level, std::string_view text) { got.emplace_back(level, text); });
    coir::log::info("one");
    coir::log::warning("two\n  and its second line\n");
    coir::log::error("{} of {0}");
    set_log(nullptr);
    REQUIRE(got.size() == 3);
    CHECK(got[0] == std::pair{log_level::info, std::string{"one"}});
    CHECK(got[1] == std::pair{log_level::warning, std::string{"two\n  and its second line"}});
    CHECK(got[2] == std::pair{log_level::error, std::string{"{} of {0}"}});
}

TEST_CASE("log: by default a message goes to standard error, with its level and the name of the library") {
    const auto all = printed_by([] { coir::log::warning("first line\n  {} of {0}"); });
    CHECK_FALSE(all.how.died());
    CHECK(all.to_output.empty());
    CHECK(ends_with_line(all.to_error, "] [warning] coir: first line\n  {} of {0}"));
    CHECK(all.to_error.starts_with("["));
    CHECK(all.to_error.find('\033') == std::string::npos);
}

TEST_CASE("log: an empty function restores the default") {
    for (const auto& empty : {coir::log_function{nullptr}, coir::log_function{}}) {
        const auto all = printed_by([&] {
            set_log([](log_level, std::string_view) {});
            coir::log::info("unheard");
            set_log(empty);
            coir::log::info("heard");
        });
        CHECK(all.to_error.find("unheard") == std::string::npos);
        CHECK(ends_with_line(all.to_error, "[info] coir: heard"));
    }
}

TEST_CASE("log: a logger named coir in spdlog's registry gets the messages, with its own pattern and level") {
    const auto all = printed_by([] {
        coir::log::info("before");
        const own_logger own{"coir"};
        own.logger->set_level(spdlog::level::warn);
        spdlog::register_logger(own.logger);
        coir::log::info("too low");
        coir::log::warning("{} of {0}");
        coir::log::error("worse");
        require(own.text() == "warning|coir|{} of {0}\nerror|coir|worse\n", own.text());
        spdlog::drop("coir");
        coir::log::info("after");
        require(own.logger.use_count() == 1, "the logger is kept");
    });
    INFO(all.to_error);
    CHECK_FALSE(all.how.died());
    CHECK(all.to_error.find("coir: before\n") != std::string::npos);
    CHECK(ends_with_line(all.to_error, "coir: after"));
    CHECK(all.to_error.find("worse") == std::string::npos);
}

TEST_CASE("log: does not change spdlog's default logger, its level and its pattern") {
    const auto all = printed_by([] {
        const own_logger own{"server"};
        spdlog::set_default_logger(own.logger);
        spdlog::set_pattern("mine %v");
        spdlog::set_level(spdlog::level::off);
        coir::log::info("to standard error");
        require(own.text().empty(), "coir writes to the default logger");
        require(spdlog::default_logger() == own.logger, "the default logger is another one");
        require(spdlog::get("coir") == nullptr, "coir has registered a logger");
    });
    INFO(all.to_error);
    CHECK_FALSE(all.how.died());
    CHECK(all.to_output.empty());
    CHECK(ends_with_line(all.to_error, "[info] coir: to standard error"));
}

TEST_CASE("log: levels are coloured on a terminal") {
    const auto child = in_child([] {
        const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        require(terminal >= 0 && ::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0, "no pseudo terminal");
        require(::dup2(::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC), STDERR_FILENO) >= 0, "dup2");
        ::setenv("TERM", "xterm", 1);
        coir::log::warning("in colour");
        std::array<char, 256> line;
        const auto got = ::read(terminal, line.data(), line.size());
        require(got > 0, "nothing was written");
        const std::string text{line.data(), static_cast<std::size_t>(got)};
        require(text.find("[\033[33m\033[1mwarning\033[m] coir: in colour") != text.npos, text);
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("log: a closed or full standard error only loses the message") {
    SUBCASE("closed") {
        const auto child = in_child([] {
            ::close(STDERR_FILENO);
            coir::log::error("lost");
        });
        CHECK_FALSE(child.died());
        CHECK(child.output.empty());
    }
    SUBCASE("a full disk") {
        const auto child = in_child([] {
            ::dup2(::open("/dev/full", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
            coir::log::error("lost");
        });
        CHECK_FALSE(child.died());
    }
    SUBCASE("a pipe without a reader") {
        const auto child = in_child([] {
            int ends[2];
            require(::pipe(ends) == 0, "pipe");
            ::dup2(ends[1], STDERR_FILENO);
            ::close(ends[0]);
            coir::log::error("lost");  // raises no SIGPIPE
            sigset_t pending;
            ::sigpending(&pending);
            require(::sigismember(&pending, SIGPIPE) == 0, "SIGPIPE is left over");
        });
        CHECK_FALSE(child.died());
    }
    SUBCASE("a full non-blocking pipe") {
        const auto child = in_child([] {
            int ends[2];
            require(::pipe2(ends, O_NONBLOCK) == 0, "pipe2");
            ::dup2(ends[1], STDERR_FILENO);
            while (::write(STDERR_FILENO, "x", 1) == 1) {
            }
            coir::log::error("lost");
        });
        CHECK_FALSE(child.died());
    }
}

TEST_CASE("log: errno does not change") {
    set_log([](log_level, std::string_view) { errno = EIO; });
    errno = ENOENT;
    coir::log::info("text");
    const int after = errno;
    set_log(nullptr);
    CHECK(after == ENOENT);
}

TEST_CASE("log: an exception of the function is dropped, and the message goes to the default log") {
    const auto all = printed_by([] {
        set_log([](log_level, std::string_view text) {
            if (text == "odd") throw 42;
            throw std::runtime_error{"no such file"};
        });
        coir::log::info("even");
        coir::log::info("odd");
    });
    CHECK_FALSE(all.how.died());
    CHECK(all.to_error.find("[info] coir: even\n") != std::string::npos);
    CHECK(ends_with_line(all.to_error, "[info] coir: odd"));
}

TEST_CASE("log: a message logged from within the function goes to standard error") {
    const auto all = printed_by([] {
        set_log([](log_level, std::string_view text) { coir::log::info(std::string{text} + " again"); });
        coir::log::info("once");
        coir::log::info("twice");
    });
    CHECK_FALSE(all.how.died());
    CHECK(all.to_error.find("coir: once again\n") != std::string::npos);
    CHECK(ends_with_line(all.to_error, "coir: twice again"));
}

TEST_CASE("log: the function may replace itself") {
    int first = 0;
    int second = 0;
    auto alive = std::make_shared<int>();
    const std::weak_ptr<int> watched = alive;
    set_log([&, alive = std::move(alive)](log_level, std::string_view) {
        set_log([&second](log_level, std::string_view) { ++second; });
        ++first;
        CHECK_FALSE(watched.expired());  // not destroyed while it runs
    });
    coir::log::info("one");
    CHECK(watched.expired());
    coir::log::info("two");
    set_log(nullptr);
    CHECK(first == 1);
    CHECK(second == 1);
}

TEST_CASE("log: set_log returns when the replaced function no longer runs and is destroyed") {
    set_log([](log_level, std::string_view) {});
    std::atomic<bool> ends{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            while (!ends) coir::log::info("text");
        });
    }
    for (int i = 0; i < 300; ++i) {
        std::atomic<int> running{0};
        std::atomic<int> calls{0};
        auto alive = std::make_shared<int>();
        const std::weak_ptr<int> watched = alive;
        set_log([&running, &calls, alive = std::move(alive)](log_level, std::string_view) {
            ++running;
            ++calls;
            std::this_thread::yield();
            --running;
        });
        while (calls == 0) std::this_thread::yield();
        set_log([](log_level, std::string_view) {});
        CHECK(running == 0);
        CHECK(watched.expired());
    }
    ends = true;
    for (std::thread& each : threads) each.join();
    set_log(nullptr);
}

TEST_CASE("log: lines of several threads are not interleaved") {
    const auto all = printed_by([] {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([text = std::string(200, static_cast<char>('a' + i))] {
                for (int n = 0; n < 50; ++n) coir::log::info(text);
            });
        }
        for (std::thread& each : threads) each.join();
    });
    std::istringstream lines{all.to_error};
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const auto at = line.find("coir: ");
        REQUIRE(at != line.npos);
        CHECK(line.substr(at + 6) == std::string(200, line.back()));
    }
    CHECK(count == 200);
}

TEST_CASE("log: a forked process can log, whatever the parent's threads were doing") {
    const auto all = printed_by([] {
        spdlog::register_logger(own_logger{"other"}.logger);
        std::atomic<bool> ends{false};
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([&] {
                while (!ends) coir::log::info("parent");
            });
        }
        int failed = 0;
        for (int i = 0; i < 100; ++i) {
            const pid_t child = ::fork();
            if (child == 0) {
                coir::log::info("child");
                ::_exit(0);
            }
            int status = 0;
            ::waitpid(child, &status, 0);
            failed += status == 0 ? 0 : 1;
        }
        ends = true;
        for (std::thread& each : threads) each.join();
        require(failed == 0, "a child has failed");
    });
    CHECK_FALSE(all.how.died());
}

TEST_CASE("log: a forked process does not wait for running log calls of the parent's threads") {
    const auto child = in_child([] {
        std::promise<void> begun;
        std::promise<void> end;
        set_log([&](log_level, std::string_view text) {
            if (text != "long") return;
            begun.set_value();
            end.get_future().get();
        });
        std::thread other{[] { coir::log::info("long"); }};
        begun.get_future().get();
        const pid_t forked = ::fork();
        if (forked == 0) {
            coir::log::info("short");
            set_log(nullptr);
            ::_exit(0);
        }
        int status = 1;
        ::waitpid(forked, &status, 0);
        end.set_value();
        other.join();
        require(status == 0, "the forked process has failed");
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("log: a message from the destructor of a static object goes to standard error after spdlog's registry "
          "is destroyed") {
    const auto all = printed_by([] {
        const own_logger own{"coir"};
        spdlog::register_logger(own.logger);
        coir::log::info("to the logger");
        says_goodbye = true;
        coir::test::forget_leaks();
        std::exit(0);
    });
    CHECK_FALSE(all.how.died());
    CHECK(ends_with_line(all.to_error, "[info] coir: goodbye"));
}

TEST_CASE("log: threads may log while the process exits") {
    for (int i = 0; i < 20; ++i) {
        const auto all = printed_by([] {
            coir::log::info("begins");
            std::thread{[] {
                for (;;) coir::log::info("text");
            }}.detach();
            coir::test::forget_leaks();
            std::exit(0);
        });
        REQUIRE_FALSE(all.how.died());
    }
}

TEST_CASE("log: a control character of a message reaches neither the program's function nor the terminal") {
    std::string got;
    set_log([&](log_level, std::string_view text) { got = text; });
    coir::log::error("name \x1b[2J\r\n  a second line");
    set_log(nullptr);
    CHECK(got == "name \\x1b[2J\\x0d\n  a second line");
    const printed all = printed_by([] { coir::log::error("name \x1b[2J"); });
    CHECK(ends_with_line(all.to_error, "name \\x1b[2J"));
}
