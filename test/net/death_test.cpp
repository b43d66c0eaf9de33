// The file name sorts first: these tests fork, which is safe only while this process has no other threads.
#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/death.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace coir::test;
using coir::net::tcp_stream;

TEST_CASE("tcp_stream: destroying or moving it while a fiber uses it aborts with a message") {
    const auto with_a_reader_inside = [](auto&& end_of) {
        return in_child([&] {
            in_scheduler([&] {
                auto ends = connection::make();
                std::optional<tcp_stream> far{std::move(ends.far)};
                auto reader = coir::spawn([&] { read_text(*far); });
                coir::this_fiber::yield();
                end_of(far);
            });
        });
    };
    const auto destroyed = with_a_reader_inside([](std::optional<tcp_stream>& far) { far.reset(); });
    CHECK(destroyed.died());
    CHECK(destroyed.says("while a fiber is suspended in one of its calls"));
    const auto moved = with_a_reader_inside([](std::optional<tcp_stream>& far) { tcp_stream other{std::move(*far)}; });
    CHECK(moved.died());
    CHECK(moved.says("while a fiber is suspended in one of its calls"));
}
