#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>
#include <utility>

using coir::detail::unique_fd;

namespace {

int open_something() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

}  // namespace

TEST_CASE("unique_fd: by default owns no descriptor") {
    const unique_fd none;
    CHECK_FALSE(none);
    CHECK(none.get() == -1);
}

TEST_CASE("unique_fd: closes its descriptor") {
    const int fd = open_something();
    {
        const unique_fd owner{fd};
        CHECK(owner);
        CHECK(owner.get() == fd);
        CHECK(is_open(fd));
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("unique_fd: a moved descriptor has one owner") {
    const int fd = open_something();
    unique_fd first{fd};
    {
        const unique_fd second{std::move(first)};
        CHECK(second.get() == fd);
        CHECK(is_open(fd));
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("unique_fd: assignment closes the previous descriptor") {
    const int one = open_something();
    const int two = open_something();
    unique_fd owner{one};
    owner = unique_fd{two};
    CHECK(owner.get() == two);
    CHECK_FALSE(is_open(one));
    CHECK(is_open(two));
    owner = unique_fd{};
    CHECK_FALSE(is_open(two));
}

TEST_CASE("unique_fd: self-assignment keeps the descriptor") {
    const int fd = open_something();
    unique_fd owner{fd};
    unique_fd& same = owner;
    owner = std::move(same);
    CHECK(owner.get() == fd);
    CHECK(is_open(fd));
}

TEST_CASE("unique_fd: release does not close") {
    const int fd = open_something();
    {
        unique_fd owner{fd};
        CHECK(owner.release() == fd);
        CHECK_FALSE(owner);
    }
    CHECK(is_open(fd));
    ::close(fd);
}
