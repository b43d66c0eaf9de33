// Hostile or broken peers of the sample http_server: it answers with an error status or closes the connection, its
// memory stays bounded, and it continues.
#include <coir/coir.hpp>

#include "net/loopback.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;

namespace {

/// The sample as a separate process.
class server {
public:
    /// With a limit of descriptors, if given.
    explicit server(int descriptors_max = 0)
        : process_{coir::process::spawn(
              command(descriptors_max),
              {.standard_output = coir::redirection::pipe(), .standard_error = coir::redirection::standard_output()})} {
        coir::io::buffered_reader lines{process_.standard_output()};
        const std::string first{lines.read_line(10s).value_or("")};  // "http server on 127.0.0.1:1234, until Ctrl-C"
        const std::size_t begin = first.rfind(' ', first.find(',')) + 1;
        at_ = coir::net::endpoint::parse(first.substr(begin, first.find(',') - begin));
    }

    [[nodiscard]] tcp_stream connect() const { return tcp_stream::connect(at_, 10s); }

    /// The peak resident memory in KiB.
    [[nodiscard]] long memory() const {
        std::ifstream status{"/proc/" + std::to_string(process_.id()) + "/status"};
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
        }
        return 0;
    }

    /// Asks it to end, and waits until all requests are answered. Returns its output.
    std::string end() {
        process_.terminate();
        CHECK(process_.wait(20s).success());
        std::string said;
        while (true) {
            std::array<char, 4096> place;
            const std::size_t n = process_.standard_output().read_some(std::as_writable_bytes(std::span{place}));
            if (n == 0) return said;
            said.append(place.data(), n);
        }
    }

private:
    static std::vector<std::string> command(int descriptors_max) {
        const std::string program = COIR_APPS "/http_server";
        if (descriptors_max == 0) return {program, "0"};
        return {"sh", "-c", "ulimit -n " + std::to_string(descriptors_max) + " && exec " + program + " 0"};
    }

    coir::process process_;
    coir::net::endpoint at_;
};

const std::string request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";

/// The status of the answer to `sent`; 0 if the connection ends without an answer.
int status_of(const server& asked, const std::string& sent, bool ends = false) {
    auto stream = asked.connect();
    stream.write_all(sent, 10s);
    if (ends) stream.shutdown();
    coir::io::buffered_reader answer{stream};
    std::string line;
    try {
        line = answer.read_line(20s).value_or("");
    } catch (const std::system_error&) {
    }  // a reset
    return line.starts_with("HTTP/1.1 ") ? std::stoi(line.substr(9)) : 0;
}

bool serves(const server& asked) { return status_of(asked, request) == 200; }

}  // namespace

TEST_CASE("http_server: malformed requests get an error or are disconnected, and the next client is served") {
    in_scheduler([] {
        server own;
        const auto with = [](const std::string& headers, const std::string& body = "") {
            return "POST /echo HTTP/1.1\r\nHost: here\r\n" + headers + "\r\n" + body;
        };
        CHECK(status_of(own, "\r\n\r\n") == 400);
        CHECK(status_of(own, "GET\r\n\r\n") == 400);
        CHECK(status_of(own, "GET  / HTTP/1.1\r\n\r\n") == 400);
        CHECK(status_of(own, "GET / HTP/1.1\r\n\r\n") == 505);
        CHECK(status_of(own, "GET / HTTP/9.9\r\n\r\n") == 505);
        CHECK(status_of(own, "GET / HTTP/1.1\r\nno colon\r\n\r\n") == 400);
        CHECK(status_of(own, std::string{"GET /\0 HTTP/1.1\r\n\r\n", 19}) == 400);
        CHECK(status_of(own, std::string(3'000, '\xff') + "\r\n\r\n") == 400);
        CHECK(status_of(own, with("Content-Length: -1\r\n")) == 400);
        CHECK(status_of(own, with("Content-Length: many\r\n")) == 400);
        CHECK(status_of(own, with("Content-Length: 1\r\nContent-Length: 2\r\n", "x")) == 400);
        CHECK(status_of(own, with("Content-Length: 99999999999999999999\r\n")) == 400);
        CHECK(status_of(own, with("Content-Length: 99999999999\r\n")) == 413);
        CHECK(status_of(own, with("Transfer-Encoding: chunked\r\n", "what?\r\n")) == 400);
        CHECK(status_of(own, with("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n")) == 400);
        CHECK(status_of(own, with("Transfer-Encoding: chunked\r\n", "200000\r\n")) == 413);
        CHECK(status_of(own, with("X: " + std::string(20'000, 'x') + "\r\n")) == 431);
        std::string many;
        for (int i = 0; i < 2'000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
        CHECK(status_of(own, with(many)) == 431);
        CHECK(status_of(own, "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n") == 431);
        CHECK(status_of(own, "GET / HT", true) == 0);
        CHECK(status_of(own, with("Content-Length: 10\r\n", "half"), true) == 0);
        CHECK(serves(own));
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: a client that has shut down its sending half still gets its answer") {
    in_scheduler([] {
        server own;
        CHECK(status_of(own, request, true) == 200);
    });
}

TEST_CASE("http_server: hundreds of clients that reset at any point leave nothing behind") {
    in_scheduler([] {
        server own;
        for (int round = 0; round < 3; ++round) {
            for (std::size_t length = 0; length <= request.size(); ++length) {
                auto stream = own.connect();
                stream.write_all(request.substr(0, length));
                stream.set_reset_on_close(true);
            }
        }
        std::vector<tcp_stream> halves;  // others that send no more, and stay open
        for (int i = 0; i < 200; ++i) {
            halves.push_back(own.connect());
            halves.back().write_all(request.substr(0, 10));
        }
        for (int i = 0; i < 20; ++i) CHECK(serves(own));
        halves.clear();
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: a client that sends requests endlessly and reads no answer is limited, and others are served") {
    in_scheduler([] {
        server own;
        CHECK(serves(own));
        const long before = own.memory();
        std::vector<tcp_stream> greedy;
        std::string ahead;
        while (ahead.size() < (1 << 20)) ahead += request;
        for (int i = 0; i < 5; ++i) {
            greedy.push_back(own.connect());
            std::error_code ec;
            while (!ec) greedy.back().write_all(std::as_bytes(std::span{ahead}), 200ms, ec);
            CHECK(ec == std::errc::timed_out);  // the server reads no more
        }
        for (int i = 0; i < 20; ++i) CHECK(serves(own));
        CHECK(own.memory() - before < 20'000);
        greedy.clear();
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: without descriptors new clients wait, this is logged once, and finally all are served") {
    in_scheduler([] {
        server own{40};
        std::vector<tcp_stream> held;
        for (int i = 0; i < 60; ++i) held.push_back(own.connect());  // connected by the kernel, accepted or not
        for (int i = 0; i < 10; ++i) {
            held[static_cast<std::size_t>(i)].write_all(request);
            CHECK_FALSE(read_text(held[static_cast<std::size_t>(i)], 10s).empty());
        }
        auto last = own.connect();
        last.write_all(request);
        CHECK_THROWS_AS(read_text(last, 200ms), coir::timed_out);
        held.clear();
        CHECK_FALSE(read_text(last, 10s).empty());
        for (int i = 0; i < 20; ++i) CHECK(serves(own));
        const std::string said = own.end();
        const std::size_t at = said.find("new connections wait in the system's queue");
        CHECK(at != std::string::npos);
        CHECK(said.find("new connections wait in the system's queue", at + 1) == std::string::npos);
    });
}
