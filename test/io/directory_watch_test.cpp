#include <coir/coir.hpp>

#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::io::directory_change;
using coir::io::directory_watch;
using kind = coir::io::directory_change::kind;

namespace {

/// Returns the next change of this kind, and skips others.
directory_change next_of(directory_watch& watch, kind what) {
    for (;;) {
        directory_change change = watch.next(5s);
        if (change.what == what) return change;
    }
}

void put(const std::string& path) { std::ofstream{path} << "text"; }

}  // namespace

TEST_CASE("directory_watch: reports created, written, moved and removed files by name") {
    in_scheduler([] {
        const temporary_folder here;
        directory_watch watch{here.path()};
        put(here.file("a"));
        CHECK(next_of(watch, kind::created).name == "a");
        CHECK(next_of(watch, kind::modified).name == "a");
        CHECK(next_of(watch, kind::written).name == "a");
        std::filesystem::rename(here.file("a"), here.file("b"));
        CHECK(next_of(watch, kind::moved_away).name == "a");
        CHECK(next_of(watch, kind::moved_here).name == "b");
        REQUIRE(::chmod(here.file("b").c_str(), 0600) == 0);
        CHECK(next_of(watch, kind::modified).name == "b");
        std::filesystem::remove(here.file("b"));
        const auto removed = next_of(watch, kind::removed);
        CHECK(removed.name == "b");
        CHECK_FALSE(removed.is_directory);
        std::filesystem::create_directory(here.file("folder"));
        const auto made = next_of(watch, kind::created);
        CHECK(made.name == "folder");
        CHECK(made.is_directory);
    });
}

TEST_CASE("directory_watch: waits, and meanwhile other fibers run") {
    in_scheduler([] {
        const temporary_folder here;
        directory_watch watch{here.path()};
        auto waiter = coir::spawn([&] { return watch.next().name; });
        coir::this_fiber::yield();
        CHECK_FALSE(waiter.done());
        put(here.file("late"));
        CHECK(waiter.get() == "late");
    });
}

TEST_CASE("directory_watch: an interrupted wait loses nothing, and close ends a wait") {
    in_scheduler([] {
        const temporary_folder here;
        directory_watch watch{here.path()};
        CHECK_THROWS_AS(static_cast<void>(watch.next(1ms)), coir::timed_out);
        auto stopped = coir::spawn([&] { static_cast<void>(watch.next()); });
        coir::this_fiber::yield();
        put(here.file("a"));
        stopped.request_stop();
        stopped.join();
        CHECK(watch.next(1s).name == "a");
        auto closed = coir::spawn([&] {
            return error_of([&] {
                for (;;) static_cast<void>(watch.next());
            });
        });
        coir::this_fiber::yield();
        watch.close();
        CHECK(closed.get() == std::errc::operation_canceled);
        CHECK(error_of([&] { static_cast<void>(watch.next()); }) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("directory_watch: after the directory was removed, every call reports the end") {
    in_scheduler([] {
        const temporary_folder here;
        std::filesystem::create_directory(here.file("folder"));
        directory_watch watch{here.file("folder")};
        std::filesystem::remove(here.file("folder"));
        CHECK(watch.next(5s).what == kind::ended);
        CHECK(watch.next(5s).what == kind::ended);
    });
}

TEST_CASE("directory_watch: reports lost events if the kernel's queue overflows") {
    in_scheduler([] {
        const temporary_folder here;
        directory_watch watch{here.path()};
        std::size_t kept = 0;
        std::ifstream{"/proc/sys/fs/inotify/max_queued_events"} >> kept;
        REQUIRE(kept > 0);
        const std::string one = here.file("one"), other = here.file("other");
        put(one);
        for (std::size_t i = 0; i < kept; ++i) {  // two events per iteration
            REQUIRE(std::rename((i % 2 == 0 ? one : other).c_str(), (i % 2 == 0 ? other : one).c_str()) == 0);
        }
        CHECK(next_of(watch, kind::lost).name.empty());
    });
}

TEST_CASE("directory_watch: refuses files and missing directories, and names them") {
    const temporary_folder here;
    put(here.file("a"));
    CHECK(error_of([&] { directory_watch{here.file("a")}; }) == std::errc::not_a_directory);
    CHECK(error_of([&] { directory_watch{here.file("none")}; }) == std::errc::no_such_file_or_directory);
    CHECK_THROWS_WITH_AS(directory_watch{here.file("none")}, doctest::Contains("none'"), std::system_error);
}
