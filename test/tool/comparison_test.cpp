#include "read/comparison.hpp"
#include "tool/samples.hpp"

#include <doctest/doctest.h>

using coir::test::a_sleep;
using detector::compare;
using detector::finding;
using detector::result;

namespace {

result of(std::vector<finding> findings) {
    result made;
    made.findings = std::move(findings);
    return made;
}

finding known_as(const std::string& fingerprint) {
    finding made = a_sleep();
    made.fingerprint = fingerprint;
    return made;
}

}  // namespace

TEST_CASE("comparison: locations are new, gone or the same") {
    const auto made =
        compare(of({known_as("a"), known_as("b")}), of({known_as("b"), known_as("c")}), coir::blocking_level::error);
    CHECK(made.has_failed);
    CHECK(made.text.find("new   src/retry.cpp:12: fiber") != std::string::npos);
    CHECK(made.text.find("gone  src/retry.cpp:12: fiber") != std::string::npos);
    CHECK(made.text.ends_with("1 new, 1 gone, 1 same\n"));
}

TEST_CASE("comparison: only new findings that count and are not suppressed are failures") {
    CHECK_FALSE(compare(of({known_as("a")}), of({}), coir::blocking_level::note).has_failed);
    CHECK_FALSE(compare(of({}), of({coir::test::a_latent_open()}), coir::blocking_level::error).has_failed);
    CHECK(compare(of({}), of({coir::test::a_latent_open()}), coir::blocking_level::warning).has_failed);
    CHECK_FALSE(compare(of({}), of({known_as("a")}), std::nullopt).has_failed);
    finding suppressed = known_as("a");
    suppressed.suppressed_by = "baseline";
    CHECK_FALSE(compare(of({}), of({suppressed}), coir::blocking_level::note).has_failed);
}
