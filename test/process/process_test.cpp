#include <coir/coir.hpp>

#include "support/children.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>
#include <string>
#include <sys/wait.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::exit_status;
using coir::process;
using coir::redirection;

// ---- exit status --------------------------------------------------------------------------------------------------

TEST_CASE("process: the exit code is the value that its main returned") {
    in_scheduler([] {
        CHECK(process::spawn({"true"}).wait() == exit_status{});
        CHECK(process::spawn({"true"}).wait().success());
        CHECK(process::spawn({"false"}).wait().code == 1);
        for (const int code : {0, 3, 127, 255}) CHECK(shell("exit " + std::to_string(code)).wait().code == code);
    });
}

TEST_CASE("process: one that was killed by a signal has the signal number, and no exit code") {
    in_scheduler([] {
        const exit_status killed = shell("kill -KILL $$").wait();
        CHECK(killed.signal == SIGKILL);
        CHECK(killed.code == -1);
        CHECK_FALSE(killed.success());
        CHECK_FALSE(killed.core_dumped);
        CHECK(shell("kill -HUP $$").wait().signal == SIGHUP);
    });
}

TEST_CASE("process: the exit status can be converted to text") {
    CHECK(exit_status{}.to_string() == "exit code 0");
    CHECK(exit_status{.code = 7}.to_string() == "exit code 7");
    CHECK(exit_status{.code = -1, .signal = SIGKILL}.to_string() == "killed by SIGKILL");
    CHECK(exit_status{.code = -1, .signal = SIGSEGV, .core_dumped = true}.to_string() ==
          "killed by SIGSEGV, core dumped");
    CHECK(exit_status{.code = -1, .signal = 40}.to_string() == "killed by signal 40");
}

TEST_CASE("process: it can be waited for any number of times, and by several fibers") {
    in_scheduler([] {
        process cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()});
        auto first = coir::spawn([&] { return cat.wait(); });
        auto second = coir::spawn([&] { return cat.wait(); });
        coir::this_fiber::yield();
        cat.standard_input().close();
        CHECK(first.get().success());
        CHECK(second.get().success());
        CHECK(cat.wait().success());
        CHECK(cat.wait(0s).success());
        CHECK(cat.try_wait().has_value());
    });
}

TEST_CASE("process: a wait ends at its deadline, and the process continues") {
    in_scheduler([] {
        process cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()});
        const auto began = coir::clock::now();
        CHECK_THROWS_AS(cat.wait(5ms), coir::timed_out);
        CHECK(coir::clock::now() - began >= 5ms);
        CHECK_THROWS_AS(cat.wait(0s), coir::timed_out);
        CHECK(is_there(cat.id()));
        cat.standard_input().close();
        CHECK(cat.wait(30s).success());
    });
}

TEST_CASE("process: try_wait does not wait") {
    in_scheduler([] {
        process cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()});
        CHECK_FALSE(cat.try_wait().has_value());
        cat.standard_input().close();
        while (!cat.try_wait()) coir::this_fiber::yield();
        CHECK(cat.try_wait() == exit_status{});
    });
}

TEST_CASE("process: its pid is available, also after it has ended") {
    in_scheduler([] {
        process reader = shell("echo $$", {.standard_output = redirection::pipe()});
        CHECK(read_all(reader.standard_output()) == std::to_string(reader.id()) + "\n");
        reader.wait();
        CHECK_FALSE(is_there(reader.id()));
        CHECK(reader.id() > 0);
        CHECK(process{}.id() == 0);
    });
}

TEST_CASE("process: if the status was reaped elsewhere, wait throws and does not hang") {
    in_scheduler([] {
        process robbed = process::spawn({"true"});
        {
            const coir::allow_blocking permit{"the test waits for a process"};
            CHECK(::waitpid(robbed.id(), nullptr, 0) == robbed.id());
        }
        for (int i = 0; i < 2; ++i) {
            try {
                robbed.wait();
                FAIL("waited");
            } catch (const std::system_error& thrown) {
                CHECK(thrown.code() == std::errc::no_child_process);
                CHECK(std::string{thrown.what()}.find("'true'") != std::string::npos);
            }
        }
        CHECK(error_of([&] { static_cast<void>(robbed.try_wait()); }) == std::errc::no_child_process);
        CHECK_NOTHROW(robbed.kill());
    });
}

TEST_CASE("process: operations on an empty process are refused") {
    in_scheduler([] {
        process none;
        CHECK(error_of([&] { none.wait(); }) == std::errc::invalid_argument);
        CHECK(error_of([&] { none.kill(); }) == std::errc::invalid_argument);
        CHECK(error_of([&] { static_cast<void>(none.standard_input()); }) == std::errc::invalid_argument);
        CHECK(none.release() == 0);
        process moved = process::spawn({"true"});
        none = std::move(moved);
        CHECK(error_of([&] { moved.wait(); }) == std::errc::invalid_argument);
        CHECK(none.wait().success());
    });
}

// ---- streams -------------------------------------------------------------------------------------------------------

TEST_CASE("process: megabytes are written to and read from it concurrently") {
    in_scheduler([] {
        const std::string sent(std::size_t{5} << 20, 'x');
        process cat =
            process::spawn({"cat"}, {.standard_input = redirection::pipe(), .standard_output = redirection::pipe()});
        auto writing = coir::spawn([&] {
            cat.standard_input().write_all(sent);
            cat.standard_input().close();
        });
        CHECK(read_all(cat.standard_output()) == sent);
        writing.get();
        CHECK(cat.wait().success());
    });
}

TEST_CASE("process: output and errors are separate streams") {
    in_scheduler([] {
        process both = shell("echo out; echo err >&2",
                             {.standard_output = redirection::pipe(), .standard_error = redirection::pipe()});
        CHECK(read_all(both.standard_output()) == "out\n");
        CHECK(read_all(both.standard_error()) == "err\n");
    });
}

TEST_CASE("process: a stream that is not a pipe is refused") {
    in_scheduler([] {
        process none = process::spawn({"true"});
        CHECK_THROWS_AS(static_cast<void>(none.standard_input()), std::logic_error);
        CHECK_THROWS_AS(static_cast<void>(none.standard_output()), std::logic_error);
        CHECK_THROWS_WITH_AS(static_cast<void>(none.standard_error()),
                             doctest::Contains("process::standard_error of 'true'"), std::logic_error);
    });
}

TEST_CASE("process: writing to one that no longer reads is an error, and raises no SIGPIPE") {
    in_scheduler([] {
        process gone = process::spawn({"true"}, {.standard_input = redirection::pipe()});
        gone.wait();
        CHECK(error_of([&] { gone.standard_input().write_all("hello"); }) == std::errc::broken_pipe);
    });
}

// ---- signals -------------------------------------------------------------------------------------------------------

TEST_CASE("process: it can be signalled, terminated and killed") {
    in_scheduler([] {
        process first = endless();
        first.send_signal(SIGUSR1);
        CHECK(first.wait(30s).signal == SIGUSR1);
        process second = endless();
        second.terminate();
        CHECK(second.wait(30s).signal == SIGTERM);
        process third = endless("trap '' TERM;");
        third.terminate();
        third.kill();
        CHECK(third.wait(30s).signal == SIGKILL);
    });
}

TEST_CASE("process: signals to an ended process do nothing") {
    in_scheduler([] {
        process ended = process::spawn({"true"});
        ended.wait();
        CHECK_NOTHROW(ended.kill());
        CHECK_NOTHROW(ended.terminate());
        CHECK(ended.terminate_then_kill(1h).success());
        CHECK(ended.wait().success());
    });
}

TEST_CASE("process: an invalid signal is refused") {
    in_scheduler([] {
        process sleeps = endless();
        CHECK(error_of([&] { sleeps.send_signal(1000); }) == std::errc::invalid_argument);
    });
}

TEST_CASE("process: terminate_then_kill terminates a process that obeys SIGTERM, without SIGKILL") {
    in_scheduler([] {
        process obeys = shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done",
                              {.standard_output = redirection::pipe()});
        CHECK(read_line(obeys.standard_output()) == "ready\n");
        CHECK(obeys.terminate_then_kill(30s).code == 5);
    });
}

TEST_CASE("process: terminate_then_kill kills a process that ignores SIGTERM, after the grace period") {
    in_scheduler([] {
        process defies = endless("trap '' TERM;");
        const auto began = coir::clock::now();
        CHECK(defies.terminate_then_kill(20ms).signal == SIGKILL);
        CHECK(coir::clock::now() - began >= 20ms);
    });
}

TEST_CASE("process: in its own process group, the whole group is signalled and killed") {
    in_scheduler([] {
        std::optional<process> tree =
            shell("sleep 1000 & echo ready; wait", {.standard_output = redirection::pipe(), .own_group = true});
        coir::io::reader& output = tree->standard_output();
        CHECK(read_line(output) == "ready\n");
        tree->terminate();
        CHECK(tree->wait(30s).signal == SIGTERM);
        CHECK(read_all(output).empty());  // no process has it open any more

        tree = shell("trap '' TERM; sleep 1000 & echo ready; wait",
                     {.standard_output = redirection::pipe(), .own_group = true});
        coir::io::reader survivor = std::move(tree->standard_output());
        CHECK(read_line(survivor) == "ready\n");
        tree.reset();
        CHECK(read_all(survivor).empty());
    });
}

// ---- ownership ----------------------------------------------------------------------------------------------------

TEST_CASE("process: starting one outside a fiber is refused") {
    CHECK_THROWS_AS(static_cast<void>(process::spawn({"true"})), coir::not_in_fiber);
    CHECK_THROWS_AS(static_cast<void>(coir::run_process({"true"})), coir::not_in_fiber);
    CHECK_FALSE(has_children());
}

TEST_CASE("process: a process of another scheduler is refused") {
    in_scheduler([] {
        process sleeps = endless();
        coir::offload([&] {
            in_scheduler([&] {
                CHECK_THROWS_AS(sleeps.wait(), coir::wrong_scheduler);
                CHECK_THROWS_AS(static_cast<void>(sleeps.try_wait()), coir::wrong_scheduler);
                CHECK_THROWS_AS(sleeps.kill(), coir::wrong_scheduler);
            });
        });
        CHECK_FALSE(sleeps.try_wait().has_value());
    });
}

TEST_CASE("process: in virtual time its end is waited for in real time, and no deadline passes early") {
    in_scheduler(coir::test::virtual_time, [] {
        process slow = shell("sleep 0.01; exit 4");
        CHECK(slow.wait(1h).code == 4);
    });
}
