#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/log.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>

#include "base/log.hpp"
#include "detect/reports.hpp"
#include "support/death.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::test::in_child;
using coir::test::reports;

namespace {

std::atomic<bool> was_called{false};
bool exit_waits_for_a_message = false;

/// Destroyed after most other static objects.
const struct last_object {
    ~last_object() {
        while (exit_waits_for_a_message && !was_called) std::this_thread::yield();
    }
} last;

}  // namespace

TEST_CASE("log: a log message of a fiber is not a finding, even if it waits for the reader of standard error") {
    for (const auto engine : {coir::blocking_engine::hooks, coir::blocking_engine::trap}) {
        const auto child = in_child([&] {
            int ends[2];
            if (::pipe(ends) != 0) throw std::runtime_error{"pipe"};
            const int before = ::dup(STDERR_FILENO);
            ::dup2(ends[1], STDERR_FILENO);
            const std::string full(std::size_t{64} << 10, 'x');
            if (::write(STDERR_FILENO, full.data(), full.size()) < 0) throw std::runtime_error{"write"};
            std::thread reader{[&] {
                std::this_thread::sleep_for(20ms);
                std::array<char, 4096> piece;
                std::string all;
                while (all.find("a message") == all.npos) {
                    all.append(piece.data(), static_cast<std::size_t>(::read(ends[0], piece.data(), piece.size())));
                }
            }};
            reports seen{{.engine = engine, .stall_threshold = 1h}};
            coir::run(seen.options(), [] { coir::log::warning("a message"); });
            reader.join();
            ::dup2(before, STDERR_FILENO);
            if (!seen.all().empty()) throw std::runtime_error{"found: " + seen.all().front().call};
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
    }
}

TEST_CASE("log: a log function that suspends its fiber does not block set_log on that thread") {
    int calls = 0;
    coir::run([&] {
        coir::set_log([&](coir::log_level, std::string_view) {
            ++calls;
            coir::this_fiber::sleep_for(5ms);
            ++calls;
        });
        auto logs = coir::spawn([] { coir::log::info("text"); });
        coir::this_fiber::yield();
        coir::set_log([](coir::log_level, std::string_view) {});
        CHECK(calls == 1);
        logs.get();
    });
    coir::set_log(nullptr);
    CHECK(calls == 2);
}

TEST_CASE("log: the detector may report a fiber that ends the process") {
    for (int i = 0; i < 30; ++i) {
        const auto child = in_child([] {
            coir::test::forget_leaks();
            exit_waits_for_a_message = true;
            coir::set_log([](coir::log_level, std::string_view) {
                was_called = true;
                throw std::runtime_error{"on to standard error"};
            });
            coir::run([] {
                std::this_thread::sleep_for(1ms);
                std::exit(0);
            });
        });
        INFO(child.output);
        REQUIRE_FALSE(child.died());
    }
}
