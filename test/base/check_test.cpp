#include "base/check.hpp"
#include "support/death.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

int evaluated = 0;
bool holds(bool answer) {
    ++evaluated;
    return answer;
}

}  // namespace

TEST_CASE("COIR_CHECK: does nothing if its condition holds, and evaluates it once") {
    evaluated = 0;
    COIR_CHECK(holds(true), "two and two are four");
    CHECK(evaluated == 1);
}

TEST_CASE("COIR_CHECK: aborts with the message, the condition and the source location") {
    const auto how = coir::test::in_child([] { COIR_CHECK(holds(false), "a fiber was harmed"); });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("coir: a fiber was harmed"));
    CHECK(how.says("holds(false) does not hold"));
    CHECK(how.says("check_test.cpp:"));
}

TEST_CASE("COIR_CHECK: is an expression, and its condition may contain operators of any precedence") {
    const int zero = evaluated - evaluated;
    zero == 0 ? COIR_CHECK(zero == 0 || zero == 1, "zero") : COIR_CHECK(zero != 0, "not zero");
    CHECK(zero == 0);
}

TEST_CASE("COIR_DCHECK: evaluates its condition in debug builds only") {
    evaluated = 0;
    COIR_DCHECK(holds(true), "costly");
#ifdef NDEBUG
    CHECK(evaluated == 0);
#else
    CHECK(evaluated == 1);
#endif
}
