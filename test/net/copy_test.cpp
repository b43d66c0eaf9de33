#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <sys/resource.h>

using namespace std::chrono_literals;
using namespace coir::test;
namespace io = coir::io;

namespace {

std::string text(std::size_t bytes) {
    std::string made;
    for (int i = 0; made.size() < bytes; ++i) made += std::to_string(i);
    return made;
}

/// Uses up all descriptors during its lifetime.
class no_more_descriptors {
public:
    no_more_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{0, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    no_more_descriptors(const no_more_descriptors&) = delete;
    no_more_descriptors& operator=(const no_more_descriptors&) = delete;

private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("copy: from one connection to another") {
    in_scheduler([] {
        const std::string content = text(3 << 20);
        auto in = connection::make();
        auto out = connection::make();
        auto writer = coir::spawn([&] {
            in.near.write_all(content);
            in.near.shutdown();
        });
        auto reader = coir::spawn([&] { return read_all(out.far); });
        CHECK(io::copy(in.far, out.near) == content.size());
        out.near.shutdown();
        CHECK(reader.get() == content);
        writer.get();
    });
}

TEST_CASE("copy: from one connection to another without a free descriptor for a pipe") {
    in_scheduler([] {
        const std::string content = text(100'000);
        auto in = connection::make();
        auto out = connection::make();
        auto writer = coir::spawn([&] {
            in.near.write_all(content);
            in.near.shutdown();
        });
        auto reader = coir::spawn([&] { return read_all(out.far); });
        coir::this_fiber::yield();
        {
            const no_more_descriptors now;
            CHECK(io::copy(in.far, out.near) == content.size());
        }
        out.near.shutdown();
        CHECK(reader.get() == content);
        writer.get();
    });
}

TEST_CASE("copy: from a file to a connection, from the file's position on") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string content = text(3 << 20);
        io::replace_file(here.file("a"), content);
        auto from = io::file::open(here.file("a"));
        from.seek(10);
        auto ends = connection::make();
        auto reader = coir::spawn([&] { return read_all(ends.far); });
        CHECK(io::copy(from, ends.near) == content.size() - 10);
        CHECK(from.position() == content.size());
        ends.near.shutdown();
        CHECK(reader.get() == content.substr(10));
    });
}

TEST_CASE("copy: through a buffer of the program for other streams") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string content = text(1 << 20);
        io::replace_file(here.file("a"), content);
        auto from = io::file::open(here.file("a"));
        auto [out, in] = io::pipe();
        auto feeder = coir::spawn([&, &to = in] {
            io::copy(from, to);
            to.close();
        });
        auto to = io::file::create(here.file("b"));
        CHECK(io::copy(out, to) == content.size());
        feeder.get();
        CHECK(io::read_file(here.file("b")) == content);
    });
}

TEST_CASE("copy: ends at its deadline") {
    in_scheduler([] {
        auto [out, in] = io::pipe();
        auto ends = connection::make();
        auto& from = out;
        CHECK_THROWS_AS(io::copy(from, ends.near, 1ms), coir::timed_out);
        CHECK_THROWS_AS(io::copy(ends.far, ends.near, 1ms), coir::timed_out);
    });
}
