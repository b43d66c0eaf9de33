#include "corpus/judge.hpp"
#include "corpus/props.hpp"

#include <doctest/doctest.h>
#include <libpq-fe.h>

#include <memory>
#include <string>

namespace coir::test {

namespace {

using namespace std::string_literals;

std::string connection_to(const listener& server) {
    return "host=127.0.0.1 port=" + std::to_string(server.port()) +
           " user=nobody dbname=none sslmode=disable gssencmode=disable connect_timeout=10";
}

// Messages of PostgreSQL's protocol: type, length, content.
const std::string welcome = "R\0\0\0\10\0\0\0\0"s + "Z\0\0\0\5I"s;
const std::string empty_answer = "I\0\0\0\4"s + "Z\0\0\0\5I"s;

}  // namespace

TEST_CASE("corpus: waits in libpq are reported") {
    judge({
        blocked("PQconnectdb to a server that closes", blocking_class::poll, {"poll"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    on.later([&] { answer(server, "", connection); });
                    return [&, how = connection_to(server)] { ::PQfinish(::PQconnectdb(how.c_str())); };
                }),
        blocked("PQconnectdb", blocking_class::poll, {"poll"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    on.later([&] { answer(server, welcome, connection); });
                    return [&, how = connection_to(server)] {
                        PGconn* const database = ::PQconnectdb(how.c_str());
                        const bool connected = ::PQstatus(database) == CONNECTION_OK;
                        ::PQfinish(database);
                        REQUIRE(connected);
                    };
                }),
        blocked("PQexec", blocking_class::poll, {"poll"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    auto& database = on.keep<std::unique_ptr<PGconn, void (*)(PGconn*)>>(
                        ::PQconnectStart(connection_to(server).c_str()), ::PQfinish);
                    connection = unique_fd{must(::accept(server.fd.get(), nullptr, nullptr))};
                    put(connection.get(), welcome);
                    for (auto now = PGRES_POLLING_WRITING; now != PGRES_POLLING_OK && now != PGRES_POLLING_FAILED;)
                        now = ::PQconnectPoll(database.get());
                    on.later([&] { put(connection.get(), empty_answer); });
                    return [&] { ::PQclear(::PQexec(database.get(), ";")); };
                }),
    });
}

}  // namespace coir::test
