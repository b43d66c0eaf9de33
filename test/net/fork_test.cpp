// Sockets in a process that was forked in a fiber.
#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <unistd.h>

using namespace coir::test;
using coir::net::tcp_stream;

namespace {

/// No watchdog thread: with ThreadSanitizer, the child of a multi-threaded process cannot start threads.
const coir::run_options run_without_detector{.blocking = {.policy = coir::blocking_policy::off}};

}  // namespace

TEST_CASE("fork: a forked process may use sockets of its parent, even if fibers of the parent wait on them") {
    coir::run(run_without_detector, [] {
        auto listener = listen_on_loopback();
        auto accepting = coir::spawn([&] { return listener.accept(); });
        auto ends = connection::make();
        auto reading = coir::spawn([&] { return read_text(ends.far); });
        coir::this_fiber::yield();
        const ending child = in_child([&] {
            coir::run(run_without_detector, [&] {
                auto near = tcp_stream::connect(listener.local_endpoint());
                auto far = listener.accept();
                near.write_all("question");
                if (read_text(far) != "question") throw std::runtime_error{"another question"};
                ends.near.write_all("hello");
                if (read_text(ends.far) != "hello") throw std::runtime_error{"another text"};
            });
            listener.close();
            const tcp_stream taken = std::move(ends.far);
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
        coir::this_fiber::yield();
        CHECK_FALSE(accepting.done());
        CHECK_FALSE(reading.done());
        auto near = tcp_stream::connect(listener.local_endpoint());
        CHECK(accepting.get().is_open());
        ends.near.write_all("to the parent");
        CHECK(reading.get() == "to the parent");
    });
}

TEST_CASE("fork: a process forked in a handler of serve ends with a message, and the server continues") {
    const auto served = [](const std::function<void()>& in_child_process) {
        return in_child([&] {
            coir::run(run_without_detector, [&] {
                auto listener = listen_on_loopback();
                auto server = coir::spawn([&] {
                    listener.serve(coir::limit{2}, [&](tcp_stream peer) {
                        const pid_t child = ::fork();
                        if (child == 0) return in_child_process();
                        status_of(child);
                        peer.write_all("served");
                    });
                });
                for (int i = 0; i < 3; ++i) {
                    auto client = tcp_stream::connect(listener.local_endpoint());
                    if (read_text(client) != "served") throw std::runtime_error{"not served"};
                }
            });
            std::puts("all are served");
        });
    };
    const ending returned = served([] {});
    INFO(returned.output);
    CHECK_FALSE(returned.died());
    CHECK(returned.says("reached the end of fiber"));
    CHECK(returned.says("all are served"));

    const ending failed = served([] { coir::this_fiber::yield(); });
    INFO(failed.output);
    CHECK_FALSE(failed.died());
    CHECK(failed.says("this_fiber::yield was called in a process that was forked in a fiber"));
    CHECK(failed.says("all are served"));
}

TEST_CASE("fork: only the process that bound a Unix listener removes its file") {
    coir::run(run_without_detector, [] {
        const temporary_folder here;
        std::optional listener = coir::net::unix_listener::bind(here.file("socket"));
        const ending child = in_child([&] { listener.reset(); });
        CHECK_FALSE(child.died());
        CHECK(std::filesystem::exists(here.file("socket")));
        listener.reset();
        CHECK_FALSE(std::filesystem::exists(here.file("socket")));
    });
}
