// The file name sorts before tests that start threads: these tests fork, which is safe only without other threads.
#include <coir/coir.hpp>

#include "base/sys.hpp"
#include "base/unique_fd.hpp"
#include "support/children.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/seccomp.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <linux/seccomp.h>
#include <optional>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::process;
using coir::redirection;
using coir::run_process;

namespace {

/// Runs `body` as a fiber of a forked process, which must end without a crash and without children.
void survives(
    const std::function<void()>& body, const std::function<void()>& before = [] {}) {
    const ending child = in_child([&] {
        before();
        in_scheduler(body);
        require(!has_children(), "a child is left");
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

}  // namespace

TEST_CASE("process: destroying it while a fiber waits for it aborts with a message") {
    const ending child = in_child([] {
        in_scheduler([] {
            std::optional<process> cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()});
            auto waiting = coir::spawn([&] { cat->wait(); });
            coir::this_fiber::yield();
            cat.reset();
        });
    });
    CHECK(child.died());
    CHECK(child.says("destroyed while a fiber waits for its end"));
}

TEST_CASE("process: in a forked child, operations on its copy do not affect the process") {
    std::optional<process> cat;
    in_scheduler([&] { cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()}); });
    const ending child = in_child([&] {
        cat->kill();
        cat.reset();
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
    in_scheduler([&] {
        CHECK_FALSE(cat->try_wait().has_value());
        cat->standard_input().close();
        CHECK(cat->wait(20s).success());
    });
}

TEST_CASE("process: one that a fiber of the parent waits for can be destroyed in a forked process, without effect on "
          "the parent") {
    coir::run({.blocking = {.policy = coir::blocking_policy::off}}, [] {
        std::optional<process> cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()});
        auto waiting = coir::spawn([&] { return cat->wait(20s); });
        coir::this_fiber::yield();
        const ending child = in_child([&] { cat.reset(); });
        INFO(child.output);
        CHECK_FALSE(child.died());
        cat->standard_input().close();
        CHECK(waiting.get().success());
    });
}

TEST_CASE("signal_set: in a forked process, fibers of the parent get no signals, and it may have its own sets") {
    coir::run({.blocking = {.policy = coir::blocking_policy::off}}, [] {
        coir::signal_set signals{SIGUSR1};
        auto waiting = coir::spawn([&] { return signals.wait(); });
        coir::this_fiber::yield();
        const ending child = in_child([&] {
            ::raise(SIGUSR1);
            coir::run({.blocking = {.policy = coir::blocking_policy::off}}, [&] {
                require(signals.wait() == SIGUSR1, "what came before");
                auto again = coir::spawn([&] { return signals.wait(); });
                coir::signal_set own{SIGUSR1, SIGUSR2};
                auto own_waiting = coir::spawn([&] { return own.wait(); });
                coir::this_fiber::yield();
                ::raise(SIGUSR1);
                require(again.get() == SIGUSR1 && own_waiting.get() == SIGUSR1, "what came later");
            });
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
        coir::this_fiber::sleep_for(1ms);
        CHECK_FALSE(waiting.done());
        ::raise(SIGUSR1);
        CHECK(waiting.get() == SIGUSR1);
    });
}

TEST_CASE("process: it inherits the program's own descriptors") {
    const ending child = in_child([] {
        in_scheduler([] { process::spawn({"sh", "-c", "echo out; echo err >&2"}).wait(); });
    });
    CHECK(child.output == "out\nerr\n");
}

TEST_CASE("process: redirections that exchange descriptors work") {
    const temporary_folder folder;
    survives(
        [] {
            process both =
                process::spawn({"sh", "-c", "echo out; echo err >&2"}, {.standard_output = redirection::descriptor(2),
                                                                        .standard_error = redirection::descriptor(1)});
            require(both.wait().success(), "both");
        },
        [&] {
            ::dup2(::open(folder.file("1").c_str(), O_CREAT | O_WRONLY, 0666), 1);
            ::dup2(::open(folder.file("2").c_str(), O_CREAT | O_WRONLY, 0666), 2);
        });
    in_scheduler([&] {
        CHECK(coir::io::read_file(folder.file("1")) == "err\n");
        CHECK(coir::io::read_file(folder.file("2")) == "out\n");
    });
}

TEST_CASE("process: a program that has closed its standard descriptors can start processes") {
    const temporary_folder folder;
    for (int closed = 1; closed < 8; ++closed) {  // one bit for each of the three
        survives([&folder, closed] {
            const coir::detail::unique_fd file{::open(folder.file("out").c_str(), O_CREAT | O_RDWR | O_TRUNC, 0666)};
            // The next opened descriptors get their numbers.
            for (int fd = 0; fd < 3; ++fd) {
                if ((closed >> fd & 1) != 0) ::close(fd);
            }
            const auto result = run_process({"sh", "-c", "cat; echo err >&2"}, "hello");
            require(result.output == "hello" && result.error == "err\n", "pipes");
            for (const redirection& error : {redirection::pipe(), redirection::file(folder.file("err"))}) {
                process both = shell("echo out; echo err >&2",
                                     {.standard_output = redirection::descriptor(file.get()), .standard_error = error});
                require(both.wait().success(), "both");
                const bool is_pipe = error.what() == redirection::kind::pipe;
                require((is_pipe ? read_all(both.standard_error()) : coir::io::read_file(folder.file("err"))) ==
                            "err\n",
                        "errors");
            }
            require(coir::io::read_file(folder.file("out")) == "out\nout\n", "output");
        });
    }
}

TEST_CASE("process: an inaccessible working directory is an error that names it, and an inaccessible folder in PATH is "
          "skipped") {
    const temporary_folder folder;
    std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
    std::filesystem::create_directory(folder.file("closed"));
    std::filesystem::permissions(folder.file("closed"), std::filesystem::perms::none);
    survives(
        [&] {
            try {
                static_cast<void>(process::spawn({"true"}, {.working_directory = folder.file("closed")}));
                require(false, "started");
            } catch (const std::system_error& thrown) {
                require(thrown.code() == std::errc::permission_denied, thrown.what());
                require(std::string{thrown.what()}.find("in the directory '") != std::string::npos, thrown.what());
            }
            try {
                static_cast<void>(process::spawn({"coir-no-such"}, {.environment = {{"PATH", folder.file("closed")}}}));
                require(false, "started");
            } catch (const std::system_error& thrown) {
                require(thrown.code() == std::errc::no_such_file_or_directory, thrown.what());
            }
        },
        // root may access everything
        [] { require(::geteuid() != 0 || ::setuid(65534) == 0, "setuid"); });
    // So that it can be removed.
    std::filesystem::permissions(folder.file("closed"), std::filesystem::perms::owner_all);
}

TEST_CASE("process: if SIGCHLD is ignored, so that the status is lost, a wait throws and does not hang") {
    survives(
        [] {
            process sleeps = process::spawn({"sleep", "1000"});
            sleeps.kill();
            try {
                sleeps.wait(20s);
                require(false, "waited");
            } catch (const std::system_error& thrown) {
                require(thrown.code() == std::errc::no_child_process, thrown.what());
                require(std::string{thrown.what()}.find("SIGCHLD") != std::string::npos, thrown.what());
            }
            const process killed = process::spawn({"sleep", "1000"});
        },
        [] { ::signal(SIGCHLD, SIG_IGN); });
}

TEST_CASE("process: a handler for SIGCHLD that does not wait for children causes no problem") {
    survives([] { require(run_process({"cat"}, "hello").output == "hello", "cat"); },
             [] { ::signal(SIGCHLD, [](int) {}); });
}

TEST_CASE("process: no operation blocks the thread, as checked with traps") {
    const ending child = in_child([] {
        coir::run_options options;
        options.blocking.engine = coir::blocking_engine::trap;
        options.blocking.policy = coir::blocking_policy::abort;
        coir::run(options, [] {
            if (coir::active_engine().engine != coir::blocking_engine::trap) std::puts("no traps: hooks look");
            require(run_process({"cat"}, "hello").output == "hello", "cat");
            process sleeps = process::spawn({"sleep", "1000"}, {.standard_input = redirection::pipe()});
            require(!sleeps.try_wait(), "has ended");
            require(sleeps.terminate_then_kill(20s).signal == SIGTERM, "by another signal");
            const process killed = process::spawn({"sleep", "1000"});
        });
    });
    INFO(child.output);
    if (child.says("no traps")) MESSAGE(child.output);
    CHECK_FALSE(child.died());
    CHECK_FALSE(child.says("blocked"));
}

TEST_CASE("process: one that may not be killed gets the end of its input, and is waited for") {
    survives(
        [] {
            const std::string sent = "what has been sent arrives";
            process cat = process::spawn(
                {"cat"}, {.standard_input = redirection::pipe(), .standard_output = redirection::pipe()});
            coir::io::reader output = std::move(cat.standard_output());
            cat.standard_input().write_all(sent);
            bool refused = false;
            try {
                cat.kill();
            } catch (const std::system_error& thrown) {
                refused = thrown.code() == std::errc::operation_not_permitted;
            }
            require(refused, "killed");
            cat = {};
            require(read_all(output) == sent, "killed by the destructor");
        },
        [] {
            filter_system_call(SYS_pidfd_send_signal, -1, SECCOMP_RET_ERRNO | EPERM);
            filter_system_call(SYS_kill, -1, SECCOMP_RET_ERRNO | EPERM);
        });
}

// ---- without pidfds ------------------------------------------------------------------------------------------------

namespace {

/// As on a kernel without pidfds, or in a container that refuses them.
void for_each_lack(const std::function<void()>& body) {
    struct lack {
        const char* what;
        unsigned call;
        long first;
        unsigned error;
    };
    for (const lack& each :
         {lack{"pidfd_open: ENOSYS", SYS_pidfd_open, -1, ENOSYS}, lack{"pidfd_open: EPERM", SYS_pidfd_open, -1, EPERM},
          lack{"pidfd_open: EINVAL", SYS_pidfd_open, -1, EINVAL},
          lack{"waitid of a pidfd: EINVAL", SYS_waitid, coir::detail::sys::by_pidfd, EINVAL},
          lack{"waitid of a pidfd: EPERM", SYS_waitid, coir::detail::sys::by_pidfd, EPERM}}) {
        CAPTURE(each.what);
        survives(body, [&] { filter_system_call(each.call, each.first, SECCOMP_RET_ERRNO | each.error); });
    }
}

}  // namespace

TEST_CASE("process without a pidfd: several fibers can wait for it, and get its status") {
    for_each_lack([] {
        process cat = process::spawn({"sh", "-c", "cat; exit 3"}, {.standard_input = redirection::pipe()});
        auto other = coir::spawn([&] { return cat.wait(20s); });
        require(!cat.try_wait(), "has ended");
        bool timed_out = false;
        try {
            cat.wait(1ms);
        } catch (const coir::timed_out&) {
            timed_out = true;
        }
        require(timed_out, "no time-out");
        cat.standard_input().close();
        require(cat.wait(20s).code == 3, "another code");
        require(other.get().code == 3, "another code");
        require(run_process({"cat"}, "hello").output == "hello", "cat");
    });
}

TEST_CASE("process without a pidfd: it can be signalled, and is killed by its destructor and by a stop") {
    for_each_lack([] {
        process first = process::spawn({"sleep", "1000"});
        require(first.terminate_then_kill(20s).signal == SIGTERM, "by another signal");
        first.kill();
        process second = endless("trap '' TERM;");
        require(second.terminate_then_kill(5ms).signal == SIGKILL, "by another signal");
        pid_t id = 0;
        auto waiting = coir::spawn([&] {
            process sleeps = process::spawn({"sleep", "1000"});
            id = sleeps.id();
            sleeps.wait();
        });
        while (id == 0) coir::this_fiber::sleep_for(1ms);
        waiting.request_stop();
        waiting.join();
        require(!is_there(id), "is still there");
    });
}

TEST_CASE("process without a pidfd: a status that was reaped elsewhere is an error") {
    for_each_lack([] {
        process robbed = process::spawn({"true"});
        {
            const coir::allow_blocking permit{"the test waits for a process"};
            require(::waitpid(robbed.id(), nullptr, 0) == robbed.id(), "waitpid");
        }
        robbed.kill();
        bool refused = false;
        try {
            robbed.wait(20s);
        } catch (const std::system_error& thrown) {
            refused = thrown.code() == std::errc::no_child_process;
        }
        require(refused, "no error");
    });
}

TEST_CASE("process without a pidfd: supports more concurrent processes than the pool has threads") {
    for_each_lack([] {
        std::vector<process> all;
        for (int i = 0; i < 20; ++i) all.push_back(process::spawn({"cat"}, {.standard_input = redirection::pipe()}));
        auto waiting = coir::spawn([&] {
            for (process& each : all) require(each.wait(20s).success(), "cat");
        });
        coir::this_fiber::yield();
        require(coir::offload([] { return 42; }) == 42, "the pool is busy");
        for (process& each : all) each.standard_input().close();
        waiting.get();
    });
}

TEST_CASE("process: without pidfd_send_signal, kill is used") {
    for (const unsigned error : {ENOSYS, EPERM, EINVAL}) {
        CAPTURE(error);
        survives(
            [] {
                process sleeps = process::spawn({"sleep", "1000"});
                require(sleeps.terminate_then_kill(20s).signal == SIGTERM, "by another signal");
            },
            [&] { filter_system_call(SYS_pidfd_send_signal, -1, SECCOMP_RET_ERRNO | error); });
    }
}

TEST_CASE("process: without faccessat2, an executable program is found in PATH, and others are skipped") {
    for (const unsigned error : {ENOSYS, EPERM, EINVAL}) {
        CAPTURE(error);
        survives(
            [] {
                require(run_process({"cat"}, "hello").output == "hello", "cat");
                const temporary_folder folder;
                std::ofstream{folder.file("data")} << "no program";
                coir::environment variables;
                variables.set("PATH", folder.path().string());
                bool refused = false;
                try {
                    const process made = process::spawn({"data"}, {.environment = variables});
                } catch (const std::system_error& thrown) {
                    refused = thrown.code() == std::errc::permission_denied;
                }
                require(refused, "no error");
            },
            [&] { filter_system_call(SYS_faccessat2, -1, SECCOMP_RET_ERRNO | error); });
    }
}

TEST_CASE("process and offload: an error caused by a filter of clone3 names clone3") {
    for (const unsigned error : {EPERM, EINVAL}) {
        CAPTURE(error);
        const ending child = in_child([&] {
            filter_system_call(SYS_clone3, -1, SECCOMP_RET_ERRNO | error);
            in_scheduler([] {
                try {
                    coir::offload([] {});
                } catch (const std::system_error& thrown) {
                    std::puts(thrown.what());
                }
            });
        });
        CHECK(child.exit_code == 0);
        // C libraries before 2.34 do not use clone3; then nothing is refused.
        if (!child.output.empty()) {
            CHECK(child.says("offload_pool 'coir-offload': cannot start a thread"));
            CHECK(child.says("clone3"));
        }
    }
}
