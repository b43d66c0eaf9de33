#include <coir/coir.hpp>

#include "support/children.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::process;
using coir::redirection;

// ---- cancelling and destroying -------------------------------------------------------------------------------------

TEST_CASE("process: a fiber that is stopped while it waits kills it, and leaves no zombie") {
    in_scheduler([] {
        pid_t id = 0;
        auto waiting = coir::spawn([&] {
            process sleeps = endless();
            id = sleeps.id();
            sleeps.wait();
        });
        while (id == 0) coir::this_fiber::sleep_for(1ms);
        CHECK(is_there(id));
        waiting.request_stop();
        waiting.join();
        CHECK_FALSE(is_there(id));
    });
}

TEST_CASE("process: a timeout of the fiber kills it") {
    in_scheduler([] {
        pid_t id = 0;
        CHECK_THROWS_AS(coir::with_timeout(20ms,
                                           [&] {
                                               process sleeps = process::spawn({"sleep", "1000"});
                                               id = sleeps.id();
                                               sleeps.wait();
                                           }),
                        coir::timed_out);
        CHECK(id != 0);
        CHECK_FALSE(is_there(id));
    });
}

TEST_CASE("process: the destructor kills it, and waits until it has ended") {
    in_scheduler([] {
        pid_t id = 0;
        {
            const process defies = endless("trap '' TERM HUP INT;");
            id = defies.id();
        }
        CHECK_FALSE(is_there(id));
        try {
            const process sleeps = endless();
            id = sleeps.id();
            throw std::runtime_error{"unwinding"};
        } catch (const std::runtime_error&) {
            CHECK_FALSE(is_there(id));
        }
    });
}

TEST_CASE("process: a fiber that continues after a stop kills it as well") {
    in_scheduler([] {
        pid_t id = 0;
        auto goes_on = coir::spawn([&] {
            const process sleeps = endless();
            id = sleeps.id();
            try {
                coir::this_fiber::sleep_for(1h);
            } catch (const coir::cancelled&) {
            }  // from here on, every suspension throws again
        });
        while (id == 0) coir::this_fiber::sleep_for(1ms);
        goes_on.request_stop();
        goes_on.join();
        CHECK_FALSE(is_there(id));
    });
}

TEST_CASE("process: while the destructor waits, other fibers run") {
    in_scheduler([] {
        bool other_ran = false;
        for (int i = 0; i < 100 && !other_ran; ++i) {  // a process may have ended before its destructor looks
            std::optional<process> sleeps = endless();
            auto ending = coir::spawn([&] { sleeps.reset(); });
            coir::this_fiber::yield();
            other_ran = !ending.done();
            ending.join();
        }
        CHECK(other_ran);
    });
}

TEST_CASE("process: assigning a new process ends the old one") {
    in_scheduler([] {
        process sleeps = endless();
        const pid_t first = sleeps.id();
        sleeps = endless();
        CHECK_FALSE(is_there(first));
        CHECK(is_there(sleeps.id()));
    });
}

TEST_CASE("process: it may be moved, even while a fiber waits for it") {
    in_scheduler([] {
        process cat = process::spawn({"cat"}, {.standard_input = redirection::pipe()});
        auto waiting = coir::spawn([&] { return cat.wait(); });
        coir::this_fiber::yield();
        process moved{std::move(cat)};
        moved.standard_input().close();
        CHECK(waiting.get().success());
        CHECK(moved.wait().success());
    });
}

TEST_CASE("process: it may outlive run, be waited for in the next run, and be destroyed outside") {
    process cat = in_scheduler([] { return process::spawn({"cat"}, {.standard_input = redirection::pipe()}); });
    CHECK_THROWS_AS(cat.wait(), coir::not_in_fiber);
    CHECK_FALSE(cat.try_wait().has_value());
    in_scheduler([&] {
        cat.standard_input().close();
        CHECK(cat.wait().success());
    });
    pid_t id = 0;
    {
        const process sleeps = in_scheduler([] { return endless(); });
        id = sleeps.id();
        CHECK(is_there(id));
    }
    CHECK_FALSE(is_there(id));
}

TEST_CASE("process: an unclaimed result of a fiber is killed as well") {
    in_scheduler([] {
        pid_t id = 0;
        coir::spawn([&] {
            process sleeps = endless();
            id = sleeps.id();
            return sleeps;
        }).detach();
        while (id == 0) coir::this_fiber::sleep_for(1ms);
        while (is_there(id)) coir::this_fiber::sleep_for(1ms);
    });
}

TEST_CASE("process: a stop while it is being started leaves no process") {
    in_scheduler([] {
        for (int i = 0; i < 30; ++i) {
            auto starting = coir::spawn([] {
                process sleeps = process::spawn({"sleep", "1000"});
                sleeps.wait();
            });
            coir::this_fiber::yield();
            if (i % 2 == 1) coir::this_fiber::sleep_for(std::chrono::microseconds{50 * i});
            starting.request_stop();
            starting.join();
        }
    });
    CHECK_FALSE(has_children());
}

TEST_CASE("process: after release it continues, and the caller must wait for it") {
    in_scheduler([] {
        pid_t id = 0;
        {
            process let_go = endless();
            id = let_go.release();
            CHECK(let_go.id() == 0);
        }
        CHECK(is_there(id));
        ::kill(id, SIGKILL);
        const coir::allow_blocking permit{"the test waits for a process"};
        CHECK(::waitpid(id, nullptr, 0) == id);
        process ended = process::spawn({"true"});
        ended.wait();
        CHECK(ended.release() == 0);
    });
}

// ---- many ----------------------------------------------------------------------------------------------------------

TEST_CASE("process: hundreds can run concurrently") {
    in_scheduler([] {
        constexpr int many = sanitized ? 100 : 300;
        std::vector<int> codes(many, -1);
        coir::task_group group;
        for (int i = 0; i < many; ++i) {
            group.spawn([&codes, i] {
                process cat =
                    shell("read line; exit " + std::to_string(i % 256), {.standard_input = redirection::pipe()});
                coir::this_fiber::sleep_for(10ms);
                cat.standard_input().close();
                codes[static_cast<std::size_t>(i)] = cat.wait().code;
            });
        }
        group.wait();
        for (int i = 0; i < many; ++i) CHECK(codes[static_cast<std::size_t>(i)] == i % 256);
    });
    CHECK_FALSE(has_children());
}

TEST_CASE("process: leaves no descriptors open") {
    in_scheduler([] {
        const auto use = [] {
            process cat = process::spawn({"cat"}, {.working_directory = "/",
                                                   .standard_input = redirection::pipe(),
                                                   .standard_output = redirection::pipe(),
                                                   .standard_error = redirection::pipe()});
            cat.standard_input().close();
            CHECK(cat.wait().success());
            CHECK_THROWS_AS(static_cast<void>(process::spawn({"/nowhere"}, {.standard_input = redirection::pipe(),
                                                                            .standard_output = redirection::null()})),
                            std::system_error);
            CHECK_THROWS_AS(static_cast<void>(process::spawn({"true"}, {.standard_input = redirection::pipe(),
                                                                        .standard_error = redirection::file("/")})),
                            std::system_error);
            const process killed = endless();
        };
        use();
        const std::size_t before = open_descriptors();
        for (int i = 0; i < 10; ++i) use();
        CHECK(open_descriptors() == before);
    });
}
