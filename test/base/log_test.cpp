#include "base/log.hpp"

#include "support/captured_log.hpp"

#include <spdlog/spdlog.h>

#include <doctest/doctest.h>

TEST_CASE("log: lines go to spdlog's default logger, at their level, and say who speaks") {
    const coir::test::captured_log log;
    coir::log::info("one");
    coir::log::warning("two");
    coir::log::error("three");
    CHECK(log.text() == "[info] coir: one\n[warning] coir: two\n[error] coir: three\n");
}

TEST_CASE("log: the program's level filters, and its braces are text") {
    const coir::test::captured_log log;
    spdlog::set_level(spdlog::level::err);
    coir::log::warning("unheard");
    coir::log::error("{} of {0}");
    spdlog::set_level(spdlog::level::info);
    CHECK(log.text() == "[error] coir: {} of {0}\n");
}
