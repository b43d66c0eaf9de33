// The rules of RFC 6455 for servers, against the app websocket_chat: clients that send exactly what a row of a table says.
#include <coir/coir.hpp>

#include "app.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::net::tcp_stream;

namespace {

enum opcode : unsigned { continuation = 0, text = 1, binary = 2, closing = 8, ping = 9, pong = 10 };

/// A frame as a client sends it: the mask is four zeros, so the payload is readable.
std::string frame(unsigned code, const std::string& payload, bool is_last = true, unsigned reserved = 0,
                  bool is_masked = true) {
    std::string made{static_cast<char>((is_last ? 0x80 : 0) | reserved << 4 | code)};
    const auto bit = is_masked ? 0x80U : 0U;
    if (payload.size() < 126)
        made += static_cast<char>(bit | payload.size());
    else
        made +=
            {static_cast<char>(bit | 126), static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
    return made + (is_masked ? std::string(4, '\0') : "") + payload;
}

std::string close_frame(unsigned code, const std::string& reason = "") {
    return frame(closing, std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason);
}

std::string handshake(const std::string& target, const std::string& more = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
           (contains(more, "Sec-WebSocket-Key") ? "" : "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") +
           (contains(more, "Sec-WebSocket-Version") ? "" : "Sec-WebSocket-Version: 13\r\n") + more + "\r\n";
}

class guest {
public:
    guest(const app& chat, const std::string& name) : stream{chat.connect()} {
        stream.write_all(handshake("/chat?" + name));
        const std::string answer = read_to(stream, "\r\n\r\n");
        CHECK(status_in(answer) == 101);
        received_ = answer.substr(answer.find("\r\n\r\n") + 4);
        CHECK(next() == name + " is here");
    }

    void send(const std::string& frames) { stream.write_all(frames, 10s); }

    /// The next message; or "ping", "pong TEXT", "close CODE"; or "end" at the end of the connection.
    std::string next(coir::deadline until = 20s) {
        std::string message;
        for (;;) {
            if (!fill(2, until)) return "end";
            const unsigned first = byte(0), second = byte(1), code = first & 15;
            CHECK((first & 0x70) == 0);  // no reserved bits
            CHECK(second < 127);         // not masked, short enough for these tests
            const std::size_t head = second < 126 ? 2 : 4;
            if (!fill(head, until)) return "end";
            const std::size_t length = second < 126 ? second : byte(2) << 8 | byte(3);
            if (!fill(head + length, until)) return "end";
            const std::string payload = received_.substr(head, length);
            const unsigned reason = code == closing ? byte(head) << 8 | byte(head + 1) : 0;
            received_.erase(0, head + length);
            if (code == ping) return "ping";
            if (code == pong) return "pong " + payload;
            if (code == closing) return "close " + std::to_string(reason);
            message += payload;
            if ((first & 0x80) != 0) return message;
        }
    }

    tcp_stream stream;

private:
    [[nodiscard]] unsigned byte(std::size_t at) const { return static_cast<unsigned char>(received_.at(at)); }

    bool fill(std::size_t bytes, coir::deadline until) {
        while (received_.size() < bytes) {
            std::array<std::byte, 4096> piece;
            std::error_code ec;
            const std::size_t n = stream.read_some(piece, until, ec);
            if (ec == std::errc::timed_out) throw coir::timed_out{"guest::next"};
            if (n == 0) return false;
            received_ += as_text(std::span{piece}.first(n));
        }
        return true;
    }

    std::string received_;
};

}  // namespace

TEST_CASE("websocket_chat: a handshake is checked, and each answer reaches the client before the connection ends") {
    in_scheduler([] {
        app chat{"websocket_chat"};
        const std::string key = "Sec-WebSocket-Key: ", version = "Sec-WebSocket-Version: ";
        const std::string plain = " HTTP/1.1\r\nHost: here\r\n\r\n";
        const struct {
            std::string rule, sent;
            int status;
            std::string with{};  // is part of the answer
        } table[] = {
            {"6455, 4.2.1: a key without end", handshake("/chat", key + "dGhlIHNhbXBsZSBub25jZQ\r\n"), 400},
            {"6455, 4.2.1: a key too long", handshake("/chat", key + std::string(99, 'x') + "==\r\n"), 400},
            {"6455, 4.2.1: no key", handshake("/chat", key + "\r\n"), 400},
            {"6455, 4.2.1: no version", handshake("/chat", version + "\r\n"), 426, "Sec-WebSocket-Version: 13\r\n"},
            {"6455, 4.4: another version", handshake("/chat", version + "8\r\n"), 426, "Sec-WebSocket-Version: 13\r\n"},
            {"9110, 15.5.22: no upgrade", "GET /chat" + plain, 426, "Upgrade: websocket\r\n"},
            {"6455, 4.1: not GET",
             "POST /chat HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 426},
            {"9110, 7.8: not in HTTP/1.0", "GET /chat HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
             426},
            {"6455, 10.2: the page of another site", handshake("/chat", "Origin: http://there\r\n"), 403},
            {"6455, 10.2: no page", handshake("/chat", "Origin: null\r\n"), 403},
            {"6455, 10.2: our page", handshake("/chat", "Origin: http://here\r\n"), 101,
             "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
            {"a name that is no UTF-8", handshake("/chat?\xff"), 400},
            {"a name too long", handshake("/chat?" + std::string(33, 'x')), 400},
            {"another path", handshake("/other"), 404},
            {"the page", "GET /?ann" + plain, 200, "<title>chat"},
            {"the page's head", "HEAD / HTTP/1.1\r\nHost: here\r\n\r\n", 200, "text/html"},
            {"9112, 3.2: no Host", "GET / HTTP/1.1\r\n\r\n", 400},
            {"9112, 6.3: a coding", "GET / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
            {"a body", "GET / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n\r\nx", 413},
            {"no HTTP", "what?\r\n\r\n", 400},
            {"a head too large", "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
            {"a target too long", "GET /" + std::string(20'000, 'x'), 414},
            {"much behind a head that is refused", "what?\r\n\r\n" + std::string(1 << 20, 'x'), 400},
            {"much behind a handshake that is refused", handshake("/chat", key + "x\r\n") + std::string(1 << 20, 'x'),
             400},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            auto stream = chat.connect();
            auto sending = start_sending(stream, row.sent);
            const std::string answer = row.status == 101 ? read_to(stream, "\r\n\r\n") : read_all(stream);
            sending.join(20s);
            CAPTURE(answer);
            CHECK(status_in(answer) == row.status);
            CHECK(contains(answer, row.with));
            if (row.sent.starts_with("HEAD")) CHECK(answer.ends_with("\r\n\r\n"));
        }
        chat.end();
    });
}

TEST_CASE("websocket_chat: a client that breaks the protocol is told why, and the others chat on") {
    in_scheduler([] {
        app chat{"websocket_chat"};
        guest ann{chat, "ann"};
        const std::string long_frame{"\x81\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 14};  // announces 2 GB
        const std::string long_form{"\x81\xfe\0\x01\0\0\0\0x", 9};                     // one byte in 16 bits of length
        const struct {
            std::string rule, sent;
            unsigned code;
        } table[] = {
            {"5.1: a frame that is not masked", frame(text, "x", true, 0, false), 1002},
            {"5.2: reserved bit 1", frame(text, "x", true, 4), 1002},
            {"5.2: reserved bit 2", frame(text, "x", true, 2), 1002},
            {"5.2: reserved bit 3", frame(text, "x", true, 1), 1002},
            {"5.2: a reserved opcode", frame(3, "x"), 1002},
            {"5.2: a reserved opcode of a control frame", frame(11, "x"), 1002},
            {"5.2: a length in too long a form", long_form, 1002},
            {"5.4: nothing to continue", frame(continuation, "x"), 1002},
            {"5.4: a message within a message", frame(text, "x", false) + frame(text, "y"), 1002},
            {"5.5: a control frame too long", frame(ping, std::string(126, 'x')), 1002},
            {"5.5: a control frame in parts", frame(ping, "x", false), 1002},
            {"5.5: a control frame with a reserved bit", frame(ping, "x", true, 4), 1002},
            {"5.5.1: half a code", frame(closing, "x"), 1002},
            {"5.5.1: a reason that is no UTF-8", close_frame(1000, "\xff"), 1002},
            {"5.6: text that is no UTF-8", frame(text, "\xc0\xaf"), 1007},
            {"5.6: text that ends within a character", frame(text, "\xe2\x82"), 1007},
            {"5.6: a surrogate", frame(text, "\xed\xa0\x80"), 1007},
            {"5.6: beyond Unicode", frame(text, "\xf4\x90\x80\x80"), 1007},
            {"5.6: in the second part", frame(text, "\xe2", false) + frame(continuation, "x"), 1007},
            {"7.4.1: binary data, which a chat does not understand", frame(binary, "\xff"), 1003},
            {"7.4.1: a message too long", frame(text, std::string(4097, 'x')), 1009},
            {"7.4.1: announced to be too long", long_frame, 1009},
            {"7.4.1: in parts", frame(text, std::string(4000, 'x'), false) + frame(continuation, std::string(97, 'x')),
             1009},
            {"7.4.1: a code that may not be sent", close_frame(1005), 1002},
            {"7.4.1: another", close_frame(1006), 1002},
            {"7.4.1: a third", close_frame(1015), 1002},
            {"7.4.2: below all ranges", close_frame(999), 1002},
            {"7.4.2: in none", close_frame(2999), 1002},
            {"7.1.5: close", close_frame(1000, "bye"), 1000},
            {"7.1.5: close without a code", frame(closing, ""), 1000},
            {"7.4.2: a library's code", close_frame(3000), 3000},
            {"7.4.2: a program's code", close_frame(4999), 4999},
            {"5.5.1: nothing counts behind close", close_frame(1001) + frame(text, "x"), 1001},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            guest bob{chat, "bob"};
            CHECK(ann.next() == "bob is here");
            bob.send(row.sent);
            CHECK(bob.next() == "close " + std::to_string(row.code));
            if (row.code == 1003) bob.send(close_frame(1003));
            CHECK(bob.next() == "end");
            CHECK(ann.next() == "bob is gone");
        }
        ann.send(frame(text, "still here"));
        CHECK(ann.next() == "ann: still here");
        chat.end();
    });
}

TEST_CASE("websocket_chat: messages in parts, with control frames between them, byte by byte") {
    in_scheduler([] {
        app chat{"websocket_chat"};
        guest ann{chat, "ann"};
        const struct {
            std::string rule, sent;
            std::vector<std::string> received;
        } table[] = {
            {"5.4: two parts", frame(text, "a", false) + frame(continuation, "b"), {"ann: ab"}},
            {"5.4: empty parts",
             frame(text, "", false) + frame(continuation, "", false) + frame(continuation, "x"),
             {"ann: x"}},
            {"5.4: a ping between",
             frame(text, "a", false) + frame(ping, "p") + frame(continuation, "b"),
             {"pong p", "ann: ab"}},
            {"5.5: the longest ping", frame(ping, std::string(125, 'x')), {"pong " + std::string(125, 'x')}},
            {"5.5.3: a pong without a ping", frame(pong, "x") + frame(text, "y"), {"ann: y"}},
            {"5.6: an empty message", frame(text, ""), {"ann: "}},
            {"5.6: a character in two parts",
             frame(text, "\xe2\x82", false) + frame(continuation, "\xac"),
             {"ann: \xe2\x82\xac"}},
            {"5.6: the longest message", frame(text, std::string(4096, 'x')), {"ann: " + std::string(4096, 'x')}},
            {"two at once", frame(text, "a") + frame(text, "b"), {"ann: a", "ann: b"}},
        };
        for (const auto& row : table) {
            CAPTURE(row.rule);
            ann.send(row.sent);
            for (const std::string& expected : row.received) CHECK(ann.next() == expected);
            for (const char byte : row.sent.substr(0, 200)) ann.send(std::string(1, byte));
            ann.send(row.sent.size() > 200 ? row.sent.substr(200) : "");
            for (const std::string& expected : row.received) CHECK(ann.next() == expected);
        }
        chat.end();
    });
}

TEST_CASE("websocket_chat: a client that does not read is disconnected, and memory stays bounded") {
    in_scheduler([] {
        app chat{"websocket_chat"};
        guest ann{chat, "ann"}, bob{chat, "bob"};
        CHECK(ann.next() == "bob is here");
        const long before = chat.memory();
        const std::string message = frame(text, std::string(4096, 'x'));
        bool is_gone = false;
        for (int n = 0; n < 20'000 && !is_gone; ++n) {
            ann.send(message);
            std::string heard = ann.next();
            while (heard == "ping") heard = ann.next();
            is_gone = heard == "bob is gone";
        }
        CHECK(is_gone);
        CHECK(chat.memory() - before < 4'000);
        chat.end();
    });
}

TEST_CASE("websocket_chat: a room that is full says so, and admits one more when a member leaves") {
    in_scheduler([] {
        app chat{"websocket_chat"};
        std::vector<std::unique_ptr<guest>> members;
        for (int i = 0; i < 200; ++i) members.push_back(std::make_unique<guest>(chat, "x"));
        auto stream = chat.connect();
        stream.write_all(handshake("/chat"));
        CHECK(status_in(read_all(stream)) == 503);
        CHECK(status_in(ask(chat, "GET / HTTP/1.1\r\nHost: here\r\n\r\n")) == 200);
        members.back()->send(close_frame(1000));
        while (members.back()->next() != "end") {
        }
        const guest last{chat, "last"};
        chat.end();
    });
}

TEST_CASE("websocket_chat: a silent client gets pings: one that answers stays, and one that does not is disconnected") {
    in_scheduler([] {
        app chat{"websocket_chat"};
        guest ann{chat, "ann"}, bob{chat, "bob"};
        CHECK(ann.next() == "bob is here");
        std::string heard = ann.next(60s);
        for (; heard == "ping"; heard = ann.next(60s)) ann.send(frame(pong, ""));
        CHECK(heard == "bob is gone");
        chat.end();
    });
}
