#include "corpus/judge.hpp"
#include "corpus/props.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <thread>

namespace coir::test {

namespace {

struct database {
    explicit database(const folder& place) {
        REQUIRE(::sqlite3_open(place.file("base").c_str(), &handle) == SQLITE_OK);
        ::sqlite3_busy_timeout(handle, 10'000);
    }
    ~database() { ::sqlite3_close(handle); }
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    void run(const char* statement) const { ::sqlite3_exec(handle, statement, nullptr, nullptr, nullptr); }

    sqlite3* handle = nullptr;
};

}  // namespace

TEST_CASE("corpus: waits in sqlite3 are reported") {
    judge({
        // It retries after sleeps of increasing length.
        blocked_often("a transaction while another one goes on", blocking_class::sleep,
                      {"nanosleep", "clock_nanosleep", "usleep"},
                      [](stage& on) {
                          auto& place = on.keep<folder>();
                          auto& other = on.keep<database>(place);
                          auto& ours = on.keep<database>(place);
                          other.run("CREATE TABLE it (value); BEGIN IMMEDIATE");
                          on.later([&] {
                              std::this_thread::sleep_for(std::chrono::milliseconds{100});
                              other.run("COMMIT");
                          });
                          return [&] { ours.run("BEGIN IMMEDIATE"); };
                      }),
        blocked_or_latent("a commit", blocking_class::disk, {"fsync", "fdatasync"},
                          [](stage& on) {
                              auto& place = on.keep<folder>();
                              auto& ours = on.keep<database>(place);
                              ours.run("PRAGMA journal_mode = MEMORY; CREATE TABLE it (value)");
                              return [&] { ours.run("INSERT INTO it VALUES (1)"); };
                          }),
    });
}

}  // namespace coir::test
