// libpq, PostgreSQL's own C client, on fibers, with a server that the sample starts.
//
// asyncio needs asyncpg, a client written for it. libpq was not written for fibers, but it has a non-blocking mode:
// where its manual says to wait for the socket, call coir::io::wait_readable or wait_writable.
//
//     asyncpg                                    here
//     await asyncpg.connect(dsn)                 connect(dsn): PQconnectStart, PQconnectPoll
//     await connection.fetchval(sql, n)          query(connection, sql, n): PQsendQueryParams, PQflush, PQgetResult
//     asyncpg.create_pool(max_size=10)           coir::channel<connection> pool{10}

#include <coir/coir.hpp>

#include "servers/servers.hpp"

#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct freed {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
};
using connection = std::unique_ptr<PGconn, freed>;
using result = std::unique_ptr<PGresult, freed>;

[[noreturn]] void fail(PGconn& c) { throw std::runtime_error{PQerrorMessage(&c)}; }

connection connect(const std::string& where) {
    connection made{PQconnectStart(where.c_str())};
    if (made == nullptr || PQstatus(made.get()) == CONNECTION_BAD) throw std::runtime_error{PQerrorMessage(made.get())};
    for (auto next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK; next = PQconnectPoll(made.get())) {
        if (next == PGRES_POLLING_FAILED) fail(*made);
        if (next == PGRES_POLLING_READING) coir::io::wait_readable(PQsocket(made.get()), 10s);
        if (next == PGRES_POLLING_WRITING) coir::io::wait_writable(PQsocket(made.get()), 10s);
    }
    PQsetnonblocking(made.get(), 1);
    return made;
}

// Sends a query with one number, and returns its single result. Only one fiber may use a connection at a time.
int query(PGconn& c, const char* sql, int number) {
    const std::string text = std::to_string(number);
    const std::array<const char*, 1> values{text.c_str()};
    if (PQsendQueryParams(&c, sql, 1, nullptr, values.data(), nullptr, nullptr, 0) == 0) fail(c);
    while (const int left = PQflush(&c)) {
        if (left < 0) fail(c);
        coir::io::wait_writable(PQsocket(&c));
    }
    int answer = 0;
    for (;;) {
        while (PQisBusy(&c) != 0) {
            coir::io::wait_readable(PQsocket(&c));
            if (PQconsumeInput(&c) == 0) fail(c);
        }
        const result next{PQgetResult(&c)};
        if (next == nullptr) return answer;
        if (PQresultStatus(next.get()) != PGRES_TUPLES_OK) fail(c);
        answer = std::stoi(PQgetvalue(next.get(), 0, 0));
    }
}

void show(const std::string& where) {
    int ticks = 0;
    auto ticker = coir::spawn([&] {
        for (;; ++ticks) coir::this_fiber::sleep_for(10ms);
    });
    coir::channel<connection> pool{10};
    for (int i = 0; i < 10; ++i) pool.send(connect(where));

    std::vector<int> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto began = coir::clock::now();
    const auto answers = coir::map_concurrent(numbers, coir::limit{1000}, [&](int number) {
        connection mine = pool.recv().value();
        const int answer = query(*mine, "select $1::int from pg_sleep(0.01)", number);
        pool.send(std::move(mine));
        return answer;
    });
    const double took = std::chrono::duration<double>(coir::clock::now() - began).count();
    std::printf("1000 queries of 10 ms on 10 connections took %.2f s; one after the other: 10 s\n", took);
    std::printf("the sum of their answers is %d\n", std::accumulate(answers.begin(), answers.end(), 0));
    std::printf("meanwhile a fiber that sleeps 10 ms at a time ran %d times\n", ticks);
}

// Finds the server's programs where Debian installs them, the newest version first; otherwise through PATH. It reads folders,
// which may wait for a disk: call it in a thread.
std::string program(const std::string& name) {
    std::string found = name;
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator{"/usr/lib/postgresql", none}) {
        const auto path = version.path() / "bin" / name;
        if (std::filesystem::exists(path) && (found == name || path.native() > found)) found = path;
    }
    return found;
}

// PostgreSQL refuses to run as root; then it runs as the user that its package has created.
std::vector<std::string> as_its_user(std::vector<std::string> command) {
    if (::geteuid() == 0) {
        const std::vector<std::string> become{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                                              "--"};
        command.insert(command.begin(), become.begin(), become.end());
    }
    return command;
}

void run_to_its_end(const std::vector<std::string>& command) {
    const auto ended = coir::run_process(command);
    if (!ended.status.success())
        throw std::runtime_error{command.front() + ": " + ended.error + "; on Debian: apt install postgresql"};
}

int main() try {
    const server_folder folder{"postgres"};
    coir::run([&] {
        const std::string data = folder.path / "data";
        if (::geteuid() == 0) run_to_its_end({"chown", "postgres", folder.path});
        run_to_its_end(
            as_its_user({coir::offload(program, "initdb"), "-D", data, "-U", "me", "-A", "trust", "--no-sync"}));
        auto server = start_server(as_its_user({coir::offload(program, "postgres"), "-D", data, "-k", folder.path, "-c",
                                                "listen_addresses=", "-F"}),
                                   "postgresql");
        const std::string where = "host=" + folder.path.native() + " user=me dbname=postgres gssencmode=disable";
        wait_until_ready(server, [&] { connect(where); });
        show(where);
        server.send_signal(SIGINT);  // fast shutdown
        server.wait(10s);
    });
} catch (const std::exception& error) {
    std::fprintf(stderr, "postgres_client: %s\n", error.what());
    return 1;
}
