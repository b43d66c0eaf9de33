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

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

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
        constexpr std::size_t unsent_max = 1 << 20;
        ec = unsent_.size() > unsent_max ? std::make_error_code(std::errc::no_buffer_space) : std::error_code{};
        if (ec) return 0;
        unsent_.append(reinterpret_cast<const char*>(from.data()), from.size());
        news_.set();
        return from.size();
    }
    std::size_t write_some(coir::io::const_buffers from, coir::deadline until, std::error_code& ec) {
        return write_some(from.front(), until, ec);
    }
    void shutdown(net::shut, std::error_code& ec) {
        ec = {};
        ending_ = true;
        news_.set();
    }

    // Waits until everything is sent, or for ten seconds.
    void finish() {
        std::error_code ec;
        shutdown(net::shut::write, ec);
        static_cast<void>(sender_.wait_for(10s));
    }

private:
    void send() {
        while (!ending_ || !unsent_.empty()) {
            news_.wait();
            news_.reset();
            while (!unsent_.empty()) stream_.write_all(std::exchange(unsent_, {}), 10s);
        }
        stream_.shutdown();
    }

    net::tcp_stream stream_;
    std::string unsent_;
    coir::event news_;
    bool ending_ = false;
    coir::fiber<void> sender_ = coir::spawn([this] {
        std::error_code gone;
        try {
            send();
        } catch (const std::system_error&) {
            stream_.shutdown(net::shut::both, gone);
        }
    });
};

using chat_socket = websocket::stream<net::asio_stream<buffered_stream&>>;

struct room {
    std::set<chat_socket*> sockets{};

    void say(const std::string& text) {
        beast::error_code gone;  // ignored: the fiber of that socket gets the error too
        for (chat_socket* each : sockets) each->write(boost::asio::buffer(text), gone);
    }
};

void chat(room& all, buffered_stream& stream, const http::request<http::string_body>& request) {
    constexpr std::string_view path = "/chat?";
    const std::string_view target{request.target().data(), request.target().size()};
    const std::string name{target.starts_with(path) && target.size() > path.size() ? target.substr(path.size())
                                                                                   : "somebody"};
    chat_socket socket{net::asio_stream<buffered_stream&>{stream}};
    socket.read_message_max(4096);
    socket.accept(request);
    struct present {
        present(room& in, chat_socket& who) : in_{in}, who_{who} { in_.sockets.insert(&who_); }
        ~present() { in_.sockets.erase(&who_); }
        room& in_;
        chat_socket& who_;
    };
    {
        const present here{all, socket};
        all.say(name + " is here");
        for (;;) {
            beast::flat_buffer message;
            beast::error_code ended;
            socket.read(message, ended);
            if (ended) break;
            all.say(name + ": " + beast::buffers_to_string(message.data()));
        }
    }
    all.say(name + " is gone");
}

void serve_connection(room& all, net::tcp_stream peer) try {
    buffered_stream stream{std::move(peer)};
    net::asio_stream<buffered_stream&> adapted{stream};
    adapted.expires_at(10s);
    beast::flat_buffer buffer{16 << 10};
    http::request<http::string_body> request;
    http::read(adapted, buffer, request);
    if (websocket::is_upgrade(request)) {
        chat(all, stream, request);
    } else {
        const bool is_page = request.target() == "/" || request.target().starts_with("/?");
        http::response<http::string_body> response{is_page ? http::status::ok : http::status::not_found, 11};
        response.set(http::field::content_type, "text/html");
        if (is_page) response.body() = page;
        response.keep_alive(false);
        response.prepare_payload();
        http::write(adapted, response);
    }
    stream.finish();
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
        auto server =
            coir::spawn([&] { listener.serve([&](net::tcp_stream peer) { serve_connection(all, std::move(peer)); }); });
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
