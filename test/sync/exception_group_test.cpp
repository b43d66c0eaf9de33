#include <coir/exception_group.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace {

std::exception_ptr failure(const char* what) { return std::make_exception_ptr(std::runtime_error{what}); }

std::string message_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& thrown) {
        return thrown.what();
    }
}

}  // namespace

TEST_CASE("exception_group: what() contains the count and every message") {
    CHECK(coir::exception_group{{failure("a"), failure("b"), failure("c")}}.what() ==
          std::string{"3 fibers failed: a; b; c"});
}

TEST_CASE("exception_group: what() mentions an exception that is not a std::exception") {
    CHECK(coir::exception_group{{std::make_exception_ptr(7), failure("b")}}.what() ==
          std::string{"2 fibers failed: an exception that is not a std::exception; b"});
}

TEST_CASE("exception_group: what() shows the messages of a nested group in parentheses") {
    const auto inner = std::make_exception_ptr(coir::exception_group{{failure("b"), failure("c")}});
    CHECK(coir::exception_group{{failure("a"), inner}}.what() ==
          std::string{"2 fibers failed: a; (2 fibers failed: b; c)"});
}

TEST_CASE("exception_group: failures() keeps the given order, also in a copy") {
    static_assert(std::is_nothrow_copy_constructible_v<coir::exception_group>);
    static_assert(std::is_nothrow_copy_assignable_v<coir::exception_group>);
    const coir::exception_group group{{failure("a"), failure("b")}};
    const coir::exception_group copy{group};
    REQUIRE(copy.failures().size() == 2);
    CHECK(message_of(copy.failures()[0]) == "a");
    CHECK(message_of(copy.failures()[1]) == "b");
    CHECK(copy.failures().data() == group.failures().data());
}
