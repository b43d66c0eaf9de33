// A chat over WebSockets, with Boost.Beast: everyone who opens the page chats with all others.
//
//     websocket_chat         starts on a free port, and runs three clients that chat with each other
//     websocket_chat PORT    serves http://127.0.0.1:PORT/ until Ctrl-C: open it in two windows
//
//     aiohttp                                     coir and Beast
//     ws = web.WebSocketResponse(); ws.prepare    websocket::stream<...> socket; socket.accept(request)
//     async for msg in ws                         socket.read(message), until websocket::error::closed
//     await ws.send_str(text)                     socket.write(buffer)

#include <coir/coir.hpp>
#include <coir/net/asio.hpp>

#include "http_rules.hpp"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <set>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
namespace net = coir::net;

constexpr std::size_t connections_max = 400, members_max = 200, name_max = 32, message_max = 4096;
constexpr std::size_t unsent_max = 256 << 10;  // for one member
constexpr auto request_max = 10s, ping_each = 5s, silence_max = 15s, send_max = 10s;

constexpr std::string_view page = R"(<!doctype html><meta charset="utf-8"><title>chat</title>
<ul id="said"></ul><form id="form"><input id="text" autocomplete="off" autofocus placeholder="say something"></form>
<script>
const socket = new WebSocket(`ws://${location.host}/chat${location.search}`);
socket.onmessage = message => {
    const line = document.createElement('li');
    line.textContent = message.data;
    document.getElementById('said').append(line);
};
socket.onclose = () => document.title = 'the chat has ended';
document.getElementById('form').onsubmit = event => {
    event.preventDefault();
    socket.send(document.getElementById('text').value);
    document.getElementById('text').value = '';
};
</script>
)";

// A connection whose writes never wait: they go to a buffer, and a fiber sends the buffer. So a client that does not
// read delays no other client, and a chat message is never written into the middle of the answer to a ping. A client
// that reads too slowly is disconnected.
class buffered_stream {
public:
    explicit buffered_stream(net::tcp_stream stream) : stream_{std::move(stream)} {}

    template <class Places> std::size_t read_some(Places into, coir::deadline until, std::error_code& ec) {
        return stream_.read_some(into, until, ec);
    }
    std::size_t write_some(std::span<const std::byte> from, coir::deadline, std::error_code& ec) {
        ec = {};
        if (unsent_.size() + being_sent_.size() > unsent_max) {
            disconnect();
            ec = std::make_error_code(std::errc::no_buffer_space);
            return 0;
        }
        unsent_.append(reinterpret_cast<const char*>(from.data()), from.size());
        news_.set();
        return from.size();
    }
    std::size_t write_some(coir::io::const_buffers from, coir::deadline until, std::error_code& ec) {
        return write_some(from.front(), until, ec);
    }

    // Ends the connection once everything is sent.
    void shutdown() {
        ending_ = true;
        news_.set();
    }
    void shutdown(net::shut, std::error_code& ec) {
        ec = {};
        shutdown();
    }

    // Waits until everything is sent, or the client is disconnected.
    void finish() {
        shutdown();
        sender_.join();
    }

private:
    void send() {
        while (!ending_ || !unsent_.empty()) {
            news_.wait();
            news_.reset();
            while (!unsent_.empty()) {
                being_sent_ = std::exchange(unsent_, {});
                stream_.write_all(being_sent_, send_max);
                being_sent_.clear();
            }
        }
        stream_.shutdown();
    }

    // The fiber that reads finds the end of the stream, and leaves.
    void disconnect() {
        std::error_code gone;
        stream_.shutdown(net::shut::both, gone);
    }

    net::tcp_stream stream_;
    std::string unsent_, being_sent_;
    coir::event news_;
    bool ending_ = false;
    coir::fiber<void> sender_ = coir::spawn([this] {
        try {
            send();
        } catch (const std::system_error&) {
            disconnect();
        }
    });
};

using adapter = net::asio_stream<buffered_stream&>;
using chat_socket = websocket::stream<adapter>;
using request = http::request<http::empty_body>;

struct room {
    std::set<chat_socket*> sockets{};

    void say(const std::string& text) {
        beast::error_code gone;  // ignored: the fiber of that socket gets the error too
        for (chat_socket* each : sockets) each->write(boost::asio::buffer(text), gone);
    }

    // Beast answers the pings of clients; it does not send any by itself.
    void ping() {
        beast::error_code gone;
        for (chat_socket* each : sockets) each->ping({}, gone);
    }
};

struct member {
    member(room& in, chat_socket& who) : in_{in}, who_{who} { in_.sockets.insert(&who_); }
    ~member() { in_.sockets.erase(&who_); }
    room& in_;
    chat_socket& who_;
};

// The name behind the question mark.
std::string name_of(const request& asked) {
    const std::string_view target = http_rules::view(asked.target());
    const std::size_t mark = target.find('?');
    return mark >= target.size() - 1 ? "somebody" : std::string{target.substr(mark + 1)};
}

// Checks the handshake (RFC 6455, section 4.2). The name becomes a part of messages, which are UTF-8. A browser names
// the page that connects, so that other sites cannot chat in the name of their visitors (section 10.2).
http::status check(const room& all, const request& asked) {
    const std::string_view key = http_rules::view(asked[http::field::sec_websocket_key]);
    const std::string_view origin = http_rules::view(asked[http::field::origin]);
    const std::string name = name_of(asked), host = "://" + std::string{asked[http::field::host]};
    const bool is_readable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (!websocket::is_upgrade(asked) || asked[http::field::sec_websocket_version] != "13")
        return http::status::upgrade_required;
    if (key.size() != 24 || !key.ends_with("==") || name.size() > name_max || !is_readable)
        return http::status::bad_request;
    if (!origin.empty() && !origin.ends_with(host)) return http::status::forbidden;
    if (all.sockets.size() >= members_max) return http::status::service_unavailable;
    return http::status::ok;
}

void chat(room& all, buffered_stream& stream, const request& asked) {
    const std::string name = name_of(asked);
    chat_socket socket{adapter{stream}};
    const auto hear = [&socket] { socket.next_layer().expires_at(silence_max); };
    socket.read_message_max(message_max);
    socket.control_callback([&](websocket::frame_type, beast::string_view) { hear(); });
    socket.accept(asked);
    beast::error_code ended;
    {
        const member here{all, socket};
        all.say(name + " is here");
        for (;;) {
            beast::flat_buffer message;
            hear();
            socket.read(message, ended);
            if (ended || !socket.got_text()) break;
            all.say(name + ": " + beast::buffers_to_string(message.data()));
            coir::this_fiber::yield();  // a client that sends all the time must not keep the others waiting
        }
    }
    // No longer a member, so this is the last frame that the client gets.
    if (!ended) socket.close(websocket::close_code::unknown_data, ended);
    all.say(name + " is gone");
}

void answer(room& all, buffered_stream& stream, adapter& to, const request& asked) {
    const auto on = http_rules::terms_of(asked, false);
    const std::string_view target = http_rules::view(asked.target()), path = target.substr(0, target.find('?'));
    if (path != "/" && path != "/chat") return http_rules::refuse(to, http::status::not_found, on.method);
    if (path == "/") {
        auto response = http_rules::text(http::status::ok, std::string{page}, on);
        response.set(http::field::content_type, "text/html");
        return http_rules::send(to, response, on);
    }
    const http::status verdict = check(all, asked);
    if (verdict == http::status::ok) return chat(all, stream, asked);
    auto response = http_rules::status_text(verdict, on);
    if (verdict == http::status::upgrade_required) {
        response.set(http::field::connection, "Upgrade, close");
        response.set(http::field::upgrade, "websocket");
        response.set(http::field::sec_websocket_version, "13");
    }
    http_rules::send(to, response, on);
}

void serve_connection(room& all, net::tcp_stream peer) try {
    buffered_stream stream{std::move(peer)};
    adapter adapted{stream};
    adapted.expires_at(request_max);
    beast::flat_buffer buffer{16 << 10};
    http::request_parser<http::empty_body> parser;
    http::status verdict = http_rules::read_head(adapted, buffer, parser);
    if (verdict == http::status::ok && !parser.is_done()) verdict = http::status::payload_too_large;
    if (verdict == http::status::ok)
        answer(all, stream, adapted, parser.get());
    else if (verdict != http::status::unknown)
        http_rules::refuse(adapted, verdict, parser.get().method());
    stream.finish();
    http_rules::linger(adapted);
} catch (const boost::system::system_error&) {  // the client is gone
}

// ---- demonstration: three clients --------------------------------------------------------------------------------

struct guest {
    std::string name;
    int lines;  // number of lines that the client reads before it leaves
    coir::event is_here{};
};

void talk(const net::endpoint& where, guest& who, bool shows) {
    websocket::stream<net::asio_stream<net::tcp_stream>> socket{net::asio_stream{net::tcp_stream::connect(where, 10s)}};
    socket.handshake(where.to_string(), "/chat?" + who.name);
    for (int i = 0; i < who.lines; ++i) {
        beast::flat_buffer message;
        socket.read(message);
        const std::string line = beast::buffers_to_string(message.data());
        if (shows) std::cout << who.name << " reads: " << line << '\n';
        if (line == who.name + " is here") who.is_here.set();
        if (line == "carol is here") socket.write(boost::asio::buffer("hello, I am " + who.name));
    }
    socket.close(websocket::close_code::normal);
}

void demonstrate(const net::endpoint& where) {
    guest ann{"ann", 6}, bob{"bob", 5}, carol{"carol", 4};
    coir::task_group guests;
    for (guest* each : {&ann, &bob, &carol}) {
        guests.spawn([&where, each, shows = each == &ann] { talk(where, *each, shows); });
        each->is_here.wait(10s);
    }
    guests.wait();
}

int main(int argc, char** argv) try {
    coir::run([&] {
        coir::signal_set interrupt{SIGINT, SIGTERM};
        room all;
        auto listener =
            net::tcp_listener::bind(net::endpoint::parse(std::string{"127.0.0.1:"} + (argc > 1 ? argv[1] : "0")));
        auto server = coir::spawn([&] {
            listener.serve(coir::limit{connections_max},
                           [&](net::tcp_stream peer) { serve_connection(all, std::move(peer)); });
        });
        auto pings = coir::spawn([&] {
            for (;; all.ping()) coir::this_fiber::sleep_for(ping_each);
        });
        std::cout << "chat on http://" << listener.local_endpoint() << "/, until Ctrl-C" << std::endl;
        if (argc > 1)
            interrupt.wait();
        else
            demonstrate(listener.local_endpoint());
    });
    std::cout << "the chat has ended\n";
} catch (const std::exception& failure) {
    std::cerr << "websocket_chat: " << failure.what() << '\n';
    return 1;
}
