// An HTTP/1.1 server on Boost.Beast, whose synchronous calls suspend fibers: keep-alive, pipelining, chunks, limits,
// files.
//
//     http_server                              starts on a free port, sends itself some requests and a Ctrl-C
//     http_server PORT [FOLDER [CHAIN KEY]]    serves the files of FOLDER until Ctrl-C; with a certificate, over TLS
//
//     /                13 bytes                       aiohttp                        coir and Beast
//     /echo            the body of the request        web.Request, web.Response      http::request, http::response
//     /chunks          a body in chunks               web.StreamResponse             http::make_chunk
//     /files/PATH      a file of FOLDER               web.FileResponse               stream.sendfile

#include <coir/coir.hpp>
#include <coir/net/asio.hpp>
#include <coir/net/tls.hpp>

#include "http_rules.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <list>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace net = coir::net;

constexpr std::size_t head_max = 8 << 10, body_max = 1 << 20, connections_max = 20'000;
constexpr auto idle_max = 60s, request_max = 10s, response_max = 30s, grace = 10s;

using request = http::request<http::string_body>;
using error = beast::error_code;
using http_rules::send_text, http_rules::terms;

// ---- answers -----------------------------------------------------------------------------------------------------

http::response<http::empty_body> head_of_answer(const terms& on, const char* type) {
    http::response<http::empty_body> made{http::status::ok, 11};
    made.set(http::field::date, http_rules::date());
    made.set(http::field::content_type, type);
    http_rules::set_connection(made, on);
    return made;
}

template <class Stream> void send_allowed(Stream& to, const std::string& methods, const terms& on) {
    auto made = http_rules::text(http::status::method_not_allowed, methods + "\n", on);
    made.set(http::field::allow, methods);
    http_rules::send(to, made, on);
}

// Sends a body whose length is not known in advance: in chunks, or up to the end of the connection, as a client of
// HTTP/1.0 knows no chunks.
template <class Stream> void send_chunks(Stream& to, terms& on) {
    on.stays = on.stays && on.is_http11;
    auto head = head_of_answer(on, "text/plain");
    head.chunked(on.is_http11);
    http::response_serializer<http::empty_body> serializer{head};
    http::write_header(to, serializer);
    if (on.method == http::verb::head) return;
    for (const std::string part : {"one\n", "two\n", "three\n"}) {
        const auto piece = boost::asio::buffer(part);
        on.is_http11 ? boost::asio::write(to, http::make_chunk(piece)) : boost::asio::write(to, piece);
        coir::this_fiber::sleep_for(1ms);
    }
    if (on.is_http11) boost::asio::write(to, http::make_chunk_last());
}

const char* type_of(const std::filesystem::path& path) {
    const std::string kind = path.extension();
    return kind == ".html" ? "text/html" : kind == ".txt" ? "text/plain" : "application/octet-stream";
}

std::uint64_t send_piece(net::tcp_stream& to, coir::io::file& file, std::uint64_t from, std::uint64_t bytes) {
    return to.sendfile(file.native_handle(), from, bytes, response_max);
}

std::uint64_t send_piece(net::tls_stream& to, coir::io::file& file, std::uint64_t from, std::uint64_t bytes) {
    std::vector<std::byte> piece(bytes);
    const std::size_t n = file.read_at(from, piece);
    to.write_all(std::span{piece}.first(n), response_max);
    return n;
}

template <class Stream> void send_file(Stream& to, const std::filesystem::path& path, const terms& on) {
    std::error_code ec;
    auto file = coir::io::file::open(path, O_RDONLY, 0, coir::never, ec);  // refuses folders and pipes
    if (ec) return send_text(to, http::status::not_found, "no such file\n", on);
    const std::uint64_t size = file.size();
    auto head = head_of_answer(on, type_of(path));
    head.content_length(size);
    http_rules::send(to, head, on);
    if (on.method == http::verb::head) return;
    // Each piece has its own timeout: a large file may take long, but the client must not stop reading.
    constexpr std::uint64_t piece = 1 << 20;
    for (std::uint64_t sent = 0; sent < size;) {
        const std::uint64_t n = send_piece(to.next_layer(), file, sent, std::min(piece, size - sent));
        if (n == 0) return to.next_layer().close();  // the file became shorter: close, as the body is incomplete
        sent += n;
    }
}

// The path of `name` in `folder`; nullopt if the name leads outside of the folder.
std::optional<std::filesystem::path> inside(const std::filesystem::path& folder, std::string_view name) {
    const std::filesystem::path relative = std::filesystem::path{name}.lexically_normal();
    if (folder.empty() || relative.is_absolute() || relative.empty() || *relative.begin() == "..") return std::nullopt;
    return folder / relative;
}

// ---- connections -------------------------------------------------------------------------------------------------

struct connection {
    net::tcp_stream& stream;
    bool idle = false;  // waiting for the next request
};

net::tcp_stream& below(net::tcp_stream& stream) { return stream; }
net::tcp_stream& below(net::tls_stream& stream) { return stream.tcp(); }

struct server {
    std::filesystem::path folder{};
    std::optional<net::tls_context> tls{};
    std::list<connection*> connections{};
    bool stopping = false;

    // Connections with a request in progress finish it; idle ones read the end of the stream.
    void stop() {
        stopping = true;
        std::error_code gone;
        for (connection* each : connections) {
            if (each->idle) each->stream.shutdown(net::shut::read, gone);
        }
    }
};

// Reads a request. Returns `ok`, the status to refuse it with, or `unknown` if the client is gone.
template <class Stream>
http::status read(Stream& from, beast::flat_buffer& buffer, http::request_parser<http::string_body>& parser) {
    parser.header_limit(head_max);
    parser.body_limit(body_max);
    const http::status verdict = http_rules::read_head(from, buffer, parser);
    if (verdict != http::status::ok || parser.is_done()) return verdict;
    // A client that expects it sends the body after "100 Continue" only.
    const request& asked = parser.get();
    if (asked.version() == 11 && beast::iequals(asked[http::field::expect], "100-continue") && buffer.size() == 0) {
        http::response<http::empty_body> go_on{http::status::continue_, 11};
        http::write(from, go_on);
    }
    error ec;
    http::read(from, buffer, parser, ec);
    return ec ? http_rules::status_of(ec, parser) : http::status::ok;
}

template <class Stream> void respond(const server& own, Stream& to, const request& asked, terms& on) {
    const std::string_view whole = http_rules::view(asked.target()), target = whole.substr(0, whole.find('?'));
    const bool reads = on.method == http::verb::get || on.method == http::verb::head, echoes = target == "/echo";
    constexpr std::string_view files = "/files/";
    if (on.method == http::verb::unknown) return send_text(to, http::status::not_implemented, "no such method\n", on);
    if (echoes ? on.method != http::verb::post : !reads) return send_allowed(to, echoes ? "POST" : "GET, HEAD", on);
    if (echoes) return send_text(to, http::status::ok, asked.body(), on);
    if (target == "/") return send_text(to, http::status::ok, "Hello, world\n", on);
    if (target == "/chunks") return send_chunks(to, on);
    if (target.starts_with(files)) {
        if (const auto path = inside(own.folder, target.substr(files.size()))) return send_file(to, *path, on);
    }
    send_text(to, http::status::not_found, "not here\n", on);
}

// Handles one request; returns false if the connection has to end. Data that the client has sent ahead stays in the
// buffer.
template <class Stream> bool exchange(const server& own, connection& on, Stream& stream, beast::flat_buffer& buffer) {
    if (buffer.size() == 0) {
        error ec;
        on.idle = true;
        stream.expires_at(idle_max);
        buffer.commit(stream.read_some(buffer.prepare(512), ec));
        on.idle = false;
        if (ec) return false;
    }
    stream.expires_at(request_max);
    http::request_parser<http::string_body> parser;
    const http::status verdict = read(stream, buffer, parser);
    stream.expires_at(response_max);
    const request& asked = parser.get();
    if (verdict == http::status::ok) {
        terms with = http_rules::terms_of(asked, parser.keep_alive() && !own.stopping);
        respond(own, stream, asked, with);
        return with.stays;
    }
    if (verdict != http::status::unknown) http_rules::refuse(stream, verdict, asked.method());
    return false;
}

template <class Stream> void converse(server& own, Stream peer) {
    connection on{below(peer)};
    const auto place = own.connections.insert(own.connections.end(), &on);
    struct leave {
        ~leave() { all.erase(place); }
        std::list<connection*>& all;
        std::list<connection*>::iterator place;
    } const at_end{own.connections, place};
    net::asio_stream<Stream&> stream{peer};
    beast::flat_buffer buffer{64 << 10};
    while (exchange(own, on, stream, buffer)) {
    }
    http_rules::linger(stream);
}

void serve_connection(server& own, net::tcp_stream peer) try {
    if (own.tls)
        converse(own, net::tls_stream::accept(*own.tls, std::move(peer), request_max));
    else
        converse(own, std::move(peer));
} catch (const std::runtime_error&) {  // the client is gone, does not read, or does not speak TLS
}

// ---- demonstration -----------------------------------------------------------------------------------------------

// Sends a text, and reads the expected number of answers.
void ask(const net::endpoint& where, const std::string& what, std::string_view sent, int answers = 1) {
    auto connected = net::tcp_stream::connect(where, 10s);
    net::asio_stream<net::tcp_stream&> stream{connected};
    stream.expires_at(10s);
    connected.write_all(sent);
    beast::flat_buffer buffer;
    for (int i = 0; i < answers; ++i) {
        http::response<http::string_body> got;
        http::read(stream, buffer, got);
        std::string_view line = got.body();
        line = line.substr(0, line.find('\n'));
        std::cout << what << ": " << got.result_int() << (got.chunked() ? ", in chunks" : "")
                  << (got.keep_alive() ? "" : ", and ends") << ", " << got.body().size() << " bytes: " << line << '\n';
    }
}

void demonstrate(const net::endpoint& at) {
    const std::string get = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    ask(at, "a request", get);
    ask(at, "two at once", get + get, 2);
    ask(at, "a body in chunks, sent",
        "POST /echo HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nagain\r\n0\r\n\r\n");
    ask(at, "a body in chunks, received", "GET /chunks HTTP/1.1\r\nHost: here\r\n\r\n");
    ask(at, "a file", "GET /files/hello.txt HTTP/1.1\r\nHost: here\r\n\r\n");
    ask(at, "a file outside", "GET /files/../secret HTTP/1.1\r\nHost: here\r\n\r\n");
    ask(at, "no HTTP", "what?\r\n\r\n");
    ask(at, "a head too large", "GET / HTTP/1.1\r\nX: " + std::string(head_max, 'x') + "\r\n\r\n");
    ask(at, "a body too large", "POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 2000000\r\n\r\n");
}

std::filesystem::path folder_of_its_own() {
    const auto made = std::filesystem::temp_directory_path() / ("coir-http-" + std::to_string(getpid()));
    std::filesystem::create_directory(made);
    coir::io::replace_file(made / "hello.txt", "a file's content\n");
    return made;
}

int main(int argc, char** argv) try {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);  // raise the soft limit of descriptors, which is often 1024
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    coir::run({.stack_size = 64 << 10}, [&] {
        coir::signal_set interrupt{SIGINT, SIGTERM};
        const bool is_demonstration = argc < 2;
        server own{.folder = is_demonstration ? folder_of_its_own() : argc > 2 ? argv[2] : ""};
        if (argc > 4) own.tls = net::tls_context::server({.identities = {{argv[3], argv[4]}}});
        auto listener =
            net::tcp_listener::bind(net::endpoint::parse(std::string{"127.0.0.1:"} + (argc > 1 ? argv[1] : "0")));
        auto serving = coir::spawn([&] {
            listener.serve(coir::limit{connections_max},
                           [&](net::tcp_stream peer) { serve_connection(own, std::move(peer)); });
        });
        std::cout << "http server on " << listener.local_endpoint() << ", until Ctrl-C" << std::endl;

        if (is_demonstration) {
            demonstrate(listener.local_endpoint());
            std::filesystem::remove_all(own.folder);
            std::cout << "raising SIGINT, as Ctrl-C does\n";
            std::raise(SIGINT);
        }
        interrupt.wait();
        listener.close();  // accepts no new connections; serve() returns when the existing ones have ended
        own.stop();
        const bool in_time = serving.wait_for(grace) == std::future_status::ready;
        std::cout << (in_time ? "every request was answered\n" : "some did not end in time\n");
    });
} catch (const std::exception& failure) {
    std::cerr << "http_server: " << failure.what() << '\n';
    return 1;
}
