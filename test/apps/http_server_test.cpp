// Hostile or broken peers of the sample http_server: it answers with an error status or closes the connection, its
// memory stays bounded, and it continues.
#include <coir/coir.hpp>

#include "app.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;

namespace {

const std::string plain_request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";

/// The status of the answer to `sent`; 0 if the connection ends without an answer.
int status_of(const app& asked, const std::string& sent, bool ends = false) {
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

bool serves(const app& asked) { return status_of(asked, plain_request) == 200; }

}  // namespace

TEST_CASE("http_server: requests that the RFCs forbid are refused with the status that they name") {
    in_scheduler([] {
        app own{"http_server"};
        const auto with = [](const std::string& headers, const std::string& body = "") {
            return "POST /echo HTTP/1.1\r\nHost: here\r\n" + headers + "\r\n" + body;
        };
        std::string many;
        for (int i = 0; i < 2'000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
        const std::string chunked = "Transfer-Encoding: chunked\r\n";
        const struct {
            std::string rule;
            std::string sent;
            int status;
        } table[] = {
            {"9112, 2.2: at least one empty line is skipped, not all", "\r\n\r\n", 400},
            {"9112, 2.2: a lone CR ends no line", "GET / HTTP/1.1\rHost: here\r\n\r\n", 505},
            {"9112, 2.2: a lone LF may be refused", "GET / HTTP/1.1\r\nHost: here\n\n\r\n\r\n", 400},
            {"9112, 2.2: no white space in front of the first field", "GET / HTTP/1.1\r\n Host: here\r\n\r\n", 400},
            {"9112, 2.3: the name of the protocol", "GET / HTP/1.1\r\nHost: here\r\n\r\n", 505},
            {"9112, 2.3: another major version", "GET / HTTP/9.9\r\nHost: here\r\n\r\n", 505},
            {"9112, 3: a method, a target and a version", "GET\r\n\r\n", 400},
            {"9112, 3: one space between them", "GET  / HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3: a target too long", "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: here\r\n\r\n", 414},
            {"9112, 3: an unknown method", "BREW / HTTP/1.1\r\nHost: here\r\n\r\n", 501},
            {"9112, 3.2: no Host", "GET / HTTP/1.1\r\n\r\n", 400},
            {"9112, 3.2: two Hosts", "GET / HTTP/1.1\r\nHost: here\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2: an invalid Host", "GET / HTTP/1.1\r\nHost: he/re\r\n\r\n", 400},
            {"9112, 3.2: an invalid port", "GET / HTTP/1.1\r\nHost: here:x\r\n\r\n", 400},
            {"9112, 3.2: an invalid address", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
            {"9112, 3.2: a target without a slash", "GET here HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2: a target of one letter", "GET x HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2: a target that ends with its scheme", "GET http:// HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2: a fragment is no part of a target", "GET /#x HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2: a NUL in the target", std::string{"GET /\0 HTTP/1.1\r\nHost: here\r\n\r\n", 31}, 400},
            {"9112, 3.2.2: a target with user information", "GET http://me@here/ HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2.2: a target without a host", "GET http:///x HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 3.2.2: absolute-form, and no Host", "GET http://here/ HTTP/1.1\r\n\r\n", 400},
            {"9112, 3.2.4: the asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: here\r\n\r\n", 400},
            {"9112, 5: a field has a colon", with("no colon\r\n"), 400},
            {"9112, 5: a field has a name", with(": x\r\n"), 400},
            {"9112, 5: the name is a token", with("X(Y): x\r\n"), 400},
            {"9112, 5: the value has no control characters", with("X: a\x01\r\n"), 400},
            {"9112, 5.1: no white space before the colon", with("Content-Length : 1\r\n", "x"), 400},
            {"9110, 5.4: a field too large", with("X: " + std::string(20'000, 'x') + "\r\n"), 431},
            {"9110, 5.4: too many fields", with(many), 431},
            {"9112, 6.1: an unknown coding", with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
            {"9112, 6.1: both", with(chunked + "Content-Length: 5\r\n", "0\r\n\r\n"), 400},
            {"9112, 6.1: both, in the other order", with("Content-Length: 5\r\n" + chunked, "0\r\n\r\n"), 400},
            {"9112, 6.1: codings in HTTP/1.0", "POST /echo HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n", 400},
            {"9112, 6.3: the last coding is not chunked", with("Transfer-Encoding: gzip\r\n"), 400},
            {"9112, 6.3: chunked, but not last", with("Transfer-Encoding: chunked, gzip\r\n"), 400},
            {"9112, 6.3: chunked twice", with("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 501},
            {"9112, 6.3: chunked twice, in two lines", with(chunked + chunked, "0\r\n\r\n"), 400},
            {"9112, 6.3: a coding with a length", with("Transfer-Encoding: x\r\nContent-Length: 1\r\n", "x"), 400},
            {"9112, 6.3: a negative length", with("Content-Length: -1\r\n"), 400},
            {"9112, 6.3: a length with a sign", with("Content-Length: +1\r\n", "x"), 400},
            {"9112, 6.3: a length that is no number", with("Content-Length: many\r\n"), 400},
            {"9112, 6.3: no length", with("Content-Length:\r\n"), 400},
            {"9112, 6.3: two lengths", with("Content-Length: 1\r\nContent-Length: 2\r\n", "x"), 400},
            {"9112, 6.3: a list of lengths", with("Content-Length: 1, 1\r\n", "x"), 400},
            {"9112, 6.3: a length beyond 64 bits", with("Content-Length: 99999999999999999999\r\n"), 400},
            {"9110, 15.5.14: a length too large", with("Content-Length: 99999999999\r\n"), 413},
            {"9110, 15.5.14: refused before 100", with("Expect: 100-continue\r\nContent-Length: 9999999\r\n"), 413},
            {"9112, 7.1: the size of a chunk", with(chunked, "what?\r\n"), 400},
            {"9112, 7.1: a size beyond 64 bits", with(chunked, "ffffffffffffffffff\r\n"), 400},
            {"9112, 7.1: a chunk that is longer than its size", with(chunked, "1\r\nxx\r\n0\r\n\r\n"), 400},
            {"9112, 7.1: a line that ends with LF", with(chunked, "1\nx\n0\n\n\r\n\r\n"), 400},
            {"9112, 7.1.1: a malformed extension", with(chunked, "1;=\r\nx\r\n0\r\n\r\n"), 400},
            {"9112, 7.1.2: a trailer with a length", with(chunked, "0\r\nContent-Length: 1\r\n\r\n"), 400},
            {"9110, 15.5.14: chunks too large", with(chunked, "200000\r\n"), 413},
            {"bytes that are no text", std::string(3'000, '\xff') + "\r\n\r\n", 400},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            CHECK(status_of(own, row.sent) == row.status);
        }
        CHECK(status_of(own, "GET / HT", true) == 0);
        CHECK(status_of(own, with("Content-Length: 10\r\n", "half"), true) == 0);
        CHECK(serves(own));
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: requests that the RFCs permit are answered as they say") {
    in_scheduler([] {
        temporary_folder folder;
        std::filesystem::create_directory(folder.path() / "deeper");
        std::ofstream{folder.file("file")} << "content";
        ::mkfifo(folder.file("pipe").c_str(), 0600);
        app own{"http_server", {folder.path()}};
        const std::string host = "Host: here\r\n", close = "Connection: close\r\n\r\n";
        const auto get = [&](const std::string& target) { return "GET " + target + " HTTP/1.1\r\n" + host + close; };
        const std::string hello = "\r\n\r\nHello, world\n", head = "HEAD / HTTP/1.1\r\nHost: here\r\n";
        const std::string post = "POST /echo HTTP/1.1\r\nHost: here\r\n", chunked = "Transfer-Encoding: chunked\r\n";
        const struct {
            std::string rule;
            std::string sent;
            int status;
            std::string with;     // is part of the answer
            std::string without;  // is not
        } table[] = {
            {"9112, 2.2: an empty line in front of a request is skipped", "\r\n" + get("/"), 200, hello, ""},
            {"9112, 2.2: also behind a body", post + "Content-Length: 1\r\n\r\nx\r\n" + get("/"), 200, hello,
             "HTTP/1.1 4"},
            {"9112, 3.2: an empty Host", "GET / HTTP/1.1\r\nHost:\r\n" + close, 200, hello, ""},
            {"9112, 3.2: a Host with address and port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n" + close, 200, hello, ""},
            {"9112, 3.2: HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", 200, hello, ""},
            {"9112, 3.2.2: absolute-form", get("http://there/?q"), 200, hello, ""},
            {"9112, 3.2.2: absolute-form without a path", get("HTTP://there:80"), 200, hello, ""},
            {"9112, 5.2: a folded line", "GET / HTTP/1.1\r\nX: a\r\n b\r\n" + host + close, 200, hello, ""},
            {"9112, 5.2: a folded coding", post + "Transfer-Encoding:\r\n chunked\r\n" + close + "1\r\nx\r\n0\r\n\r\n",
             200, "\r\n\r\nx", ""},
            {"9112, 6.3: codings in any case", post + "tRANSFER-eNCODING: CHUNKED\r\n" + close + "1\r\nx\r\n0\r\n\r\n",
             200, "\r\n\r\nx", ""},
            {"9112, 7.1: chunks", post + chunked + close + "1\r\nx\r\n0A\r\n123456789a\r\n000\r\n\r\n", 200,
             "\r\n\r\nx123456789a", ""},
            {"9112, 7.1.1: extensions are ignored", post + chunked + close + "1;a=b;c=\"\\\"\"\r\nx\r\n0;d\r\n\r\n",
             200, "\r\n\r\nx", ""},
            {"9112, 7.1.2: trailers are ignored", post + chunked + close + "0\r\nHost: there\r\nX: y\r\n\r\n", 200,
             "Content-Length: 0", ""},
            {"9112, 9.3: HTTP/1.0 ends", "GET / HTTP/1.0\r\n\r\n" + get("/"), 200, "Connection: close", "keep-alive"},
            {"9112, 9.3: HTTP/1.0 stays if it is asked to",
             "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/nothing"), 200, "Connection: keep-alive", ""},
            {"9112, 9.3.2: pipelined requests are answered in order", plain_request + "\r\n" + get("/nothing"), 200,
             "not here", ""},
            {"9112, 9.6: close in any line", "GET / HTTP/1.1\r\nConnection: x\r\n" + host + close, 200, hello, ""},
            {"9112, 9.6: nothing is answered behind close", get("/") + get("/nothing"), 200, hello, "not here"},
            {"9112, 7: no chunks for HTTP/1.0", "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200,
             "\r\n\r\none\ntwo\nthree\n", "keep-alive"},
            {"9110, 6.6.1: a date", get("/"), 200, " GMT\r\n", ""},
            {"9110, 9.3.2: HEAD has the length and no body", head + close, 200, "Content-Length: 13", "Hello"},
            {"9110, 9.3.2: HEAD of chunks", "HEAD /chunks HTTP/1.1\r\n" + host + close, 200, "chunked", "one"},
            {"9110, 9.3.2: HEAD of a file", "HEAD /files/file HTTP/1.1\r\n" + host + close, 200, "h: 7\r\n", "content"},
            {"9110, 9.3.2: HEAD that is refused", "HEAD / HTTP/1.1\r\n\r\n", 400, "Content-Length", "\r\n\r\nBad"},
            {"9110, 10.1.1: 100 before the body", post + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 100, "",
             ""},
            {"9110, 10.1.1: no 100 for HTTP/1.0",
             "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 200, "\r\n\r\nx", "100"},
            {"9110, 10.1.1: no 100 without a body", "GET / HTTP/1.1\r\nExpect: 100-continue\r\n" + host + close, 200,
             hello, ""},
            {"9110, 15.5.6: 405 names the methods", "DELETE / HTTP/1.1\r\n" + host + close, 405, "Allow: GET, HEAD\r\n",
             ""},
            {"9110, 15.5.6: of this resource", get("/echo"), 405, "Allow: POST\r\n", ""},
            {"a file", get("/files/file"), 200, "\r\n\r\ncontent", ""},
            {"a path that stays inside", get("/files/deeper/../file"), 200, "\r\n\r\ncontent", ""},
            {"a path that leads outside", get("/files/../file"), 404, "", "content"},
            {"an escaped path that leads outside", get("/files/%2e%2e/file"), 404, "", ""},
            {"an absolute path", get("/files//etc/passwd"), 404, "", "root"},
            {"a path that leads outside, deeper", get("/files/deeper/../../../etc/passwd"), 404, "", "root"},
            {"a folder is no file", get("/files/deeper"), 404, "", ""},
            {"the folder itself", get("/files/."), 404, "", ""},
            {"a pipe is no file", get("/files/pipe"), 404, "", ""},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            auto stream = own.connect();
            stream.write_all(row.sent);
            const std::string answer = row.status == 100 ? read_to(stream, "\r\n\r\n") : read_all(stream);
            CAPTURE(answer);
            CHECK(status_in(answer) == row.status);
            if (!row.with.empty()) CHECK(contains(answer, row.with));
            if (!row.without.empty()) CHECK_FALSE(contains(answer, row.without));
        }
        CHECK(serves(own));
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: the last answer reaches a client that is still sending") {
    in_scheduler([] {
        app own{"http_server"};
        const std::string large(4 << 20, 'x');  // more than the system's buffers
        for (const std::string& sent :
             {"what?\r\n\r\n" + large, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + large}) {
            auto stream = own.connect();
            auto sending = start_sending(stream, sent);
            CHECK(contains(read_all(stream), "\r\n\r\n"));
            sending.join(20s);
        }
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: a client that has shut down its sending half still gets its answer") {
    in_scheduler([] {
        app own{"http_server"};
        CHECK(status_of(own, plain_request, true) == 200);
    });
}

TEST_CASE("http_server: hundreds of clients that reset at any point leave nothing behind") {
    in_scheduler([] {
        app own{"http_server"};
        for (int round = 0; round < 3; ++round) {
            for (std::size_t length = 0; length <= plain_request.size(); ++length) {
                auto stream = own.connect();
                stream.write_all(plain_request.substr(0, length));
                stream.set_reset_on_close(true);
            }
        }
        std::vector<tcp_stream> halves;  // others that send no more, and stay open
        for (int i = 0; i < 200; ++i) {
            halves.push_back(own.connect());
            halves.back().write_all(plain_request.substr(0, 10));
        }
        for (int i = 0; i < 20; ++i) CHECK(serves(own));
        halves.clear();
        CHECK(own.end() == "every request was answered\n");
    });
}

TEST_CASE("http_server: a client that sends requests endlessly and reads no answer is limited, and others are served") {
    in_scheduler([] {
        app own{"http_server"};
        CHECK(serves(own));
        const long before = own.memory();
        std::vector<tcp_stream> greedy;
        std::string ahead;
        while (ahead.size() < (1 << 20)) ahead += plain_request;
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
        app own{"http_server", {}, 40};
        std::vector<tcp_stream> held;
        for (int i = 0; i < 60; ++i) held.push_back(own.connect());  // connected by the kernel, accepted or not
        for (int i = 0; i < 10; ++i) {
            held[static_cast<std::size_t>(i)].write_all(plain_request);
            CHECK_FALSE(read_text(held[static_cast<std::size_t>(i)], 10s).empty());
        }
        auto last = own.connect();
        last.write_all(plain_request);
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
