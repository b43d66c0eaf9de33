#include <coir/coir.hpp>

#include "support/children.hpp"
#include "support/compute_for.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::redirection;
using coir::run_process;

TEST_CASE("run_process: passes input, and returns output, errors and the exit status") {
    in_scheduler([] {
        const auto result = run_process({"sh", "-c", "cat; echo oops >&2; exit 3"}, "hello");
        CHECK(result.output == "hello");
        CHECK(result.error == "oops\n");
        CHECK(result.status.code == 3);
    });
}

TEST_CASE("run_process: megabytes of input, output and errors at the same time do not deadlock") {
    in_scheduler([] {
        const std::string input(std::size_t{3} << 20, 'x');
        const auto result = run_process({"tee", "/dev/stderr"}, input);
        CHECK(result.status.success());
        CHECK(result.output == input);
        CHECK(result.error == input);
    });
}

TEST_CASE("run_process: binary data is passed unchanged") {
    in_scheduler([] {
        std::string all;
        for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
        CHECK(run_process({"cat"}, all).output == all);
    });
}

TEST_CASE("run_process: without input the process reads the end at once") {
    in_scheduler([] { CHECK(run_process({"cat"}).output.empty()); });
}

TEST_CASE("run_process: input that the process does not read is not an error") {
    in_scheduler([] {
        const auto result = run_process({"sh", "-c", "exit 2"}, std::string(std::size_t{1} << 20, 'x'));
        CHECK(result.status.code == 2);
    });
}

TEST_CASE("run_process: redirected streams are not in the result") {
    const temporary_folder folder;
    in_scheduler([&] {
        const auto result = run_process({"sh", "-c", "echo out; echo err >&2"}, {},
                                        {.standard_output = redirection::file(folder.file("output"))});
        CHECK(result.output.empty());
        CHECK(result.error == "err\n");
        CHECK(coir::io::read_file(folder.file("output")) == "out\n");
    });
}

TEST_CASE("run_process: input for a redirected stream is refused") {
    in_scheduler([] {
        CHECK(error_of([] {
                  static_cast<void>(run_process({"cat"}, "hello", {.standard_input = redirection::null()}));
              }) == std::errc::invalid_argument);
    });
}

TEST_CASE("run_process: output beyond the limit is an error, and the process is killed") {
    in_scheduler([] {
        for (const std::string to : {"output", "error"}) {
            try {
                static_cast<void>(run_process({"sh", "-c", to == "output" ? "exec yes" : "exec yes >&2"}, {},
                                              {.output_bytes_max = 100'000}));
                FAIL("taken");
            } catch (const std::system_error& thrown) {
                CHECK(thrown.code() == std::errc::message_size);
                CHECK(std::string{thrown.what()}.find("'sh': standard " + to) != std::string::npos);
            }
            CHECK_FALSE(has_children());
        }
    });
}

TEST_CASE("run_process: output and errors beyond the limit at the same time are one error") {
    const temporary_folder folder;
    in_scheduler([&] {
        const std::string begun = folder.file("begun");
        auto running = coir::spawn([&] {
            return run_process({"sh", "-c", ": >$0; sleep 0.02; echo out; echo err >&2; exec sleep 1000", begun}, {},
                               {.output_bytes_max = 1});
        });
        while (!std::filesystem::exists(begun)) coir::this_fiber::sleep_for(1ms);
        coir::this_fiber::sleep_for(2ms);
        compute_for(60ms);  // meanwhile both arrive
        CHECK(error_of([&] { static_cast<void>(running.get()); }) == std::errc::message_size);
    });
}

TEST_CASE("run_process: output of exactly the limit is accepted") {
    in_scheduler([] {
        CHECK(run_process({"printf", "12345"}, {}, {.output_bytes_max = 5}).output == "12345");
        CHECK(error_of([] {
                  static_cast<void>(run_process({"printf", "12345"}, {}, {.output_bytes_max = 4}));
              }) == std::errc::message_size);
        CHECK(run_process({"true"}, {}, {.output_bytes_max = 0}).output.empty());
    });
}

TEST_CASE("run_process: at its deadline the process is killed") {
    in_scheduler([] {
        const auto began = coir::clock::now();
        CHECK_THROWS_WITH_AS(static_cast<void>(run_process({"sleep", "1000"}, {}, {}, 10ms)),
                             doctest::Contains("run_process 'sleep'"), coir::timed_out);
        CHECK(coir::clock::now() - began >= 10ms);
        CHECK_FALSE(has_children());
        CHECK(run_process({"true"}, {}, {}, 1h).status.success());
    });
}

TEST_CASE("run_process: a stop kills the process") {
    in_scheduler([] {
        auto running = coir::spawn([] { return run_process({"sleep", "1000"}, "input"); });
        while (!has_children()) coir::this_fiber::sleep_for(1ms);
        running.request_stop();
        CHECK_THROWS_AS(running.get(), coir::fiber_stopped);
        CHECK_FALSE(has_children());
    });
}

TEST_CASE("run_process: many can run concurrently") {
    in_scheduler([] {
        const auto results = coir::map_concurrent(std::vector<int>(50, 7), coir::limit{10}, [](int number) {
            return run_process({"cat"}, std::to_string(number)).output;
        });
        CHECK(results == std::vector<std::string>(50, "7"));
    });
}

TEST_CASE("run_process: a missing program is an error") {
    in_scheduler([] {
        CHECK(error_of([] { static_cast<void>(run_process({"coir-no-such-program"})); }) ==
              std::errc::no_such_file_or_directory);
        CHECK(error_of([] { static_cast<void>(run_process({})); }) == std::errc::invalid_argument);
    });
}
