// The load generator of the HTTP benchmarks:
//
//     bench_http_load busy <server> <connections> <requests> <path>
//     bench_http_load idle <server> <connections>
//
// It starts the server, a program relative to its own folder, with a free port and a folder as arguments; the server
// must serve the folder's file "mebibyte" at /files/mebibyte. `busy`: every connection requests the same path again and
// again; reports the processor time per request. `idle`: every connection sends one request and stays open; reports the
// memory per connection.

#include "closed_loop.hpp"
#include "plain_client.hpp"
#include "server_process.hpp"
#include "support/temporary_folder.hpp"

#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>

namespace {

std::uint16_t free_port() {
    const int fd = bench::bind_to_loopback(SOCK_STREAM);
    const std::uint16_t port = bench::port_of(fd);
    close(fd);
    return port;
}

/// An HTTP server process, with the folder that it serves.
struct http_server {
    explicit http_server(const std::string& program) : process{{program, std::to_string(port), folder.path()}} {
        std::ofstream{folder.file("mebibyte")} << std::string(1 << 20, 'x');
        process.wait_until_listening(port);
    }

    coir::test::temporary_folder folder;
    std::uint16_t port = free_port();
    bench::server_process process;
};

std::string request_for(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"; }

/// The size of an answer, head and body, if `received` begins with a complete head.
std::optional<std::size_t> answer_bytes(std::string_view received) {
    constexpr std::string_view end = "\r\n\r\n", field = "\r\nContent-Length: ";
    const std::size_t head = received.find(end);
    if (head == received.npos) return std::nullopt;
    const std::size_t at = received.find(field);
    if (!received.starts_with("HTTP/1.1 200 ") || at > head) bench::fail("another answer was expected");
    std::size_t body = 0;
    std::from_chars(received.data() + at + field.size(), received.data() + head, body);
    return head + end.size() + body;
}

/// Sends one request to learn the length of the answer: all answers to a request have the same length.
std::size_t answer_bytes(std::uint16_t port, const std::string& request) {
    const bench::client_socket socket{SOCK_STREAM, port};
    if (send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) < 0) bench::fail("send");
    std::string received;
    for (char buffer[4096];;) {
        const ssize_t n = recv(socket.fd(), buffer, sizeof buffer, 0);
        if (n <= 0) bench::fail("recv");
        received.append(buffer, static_cast<std::size_t>(n));
        if (const auto bytes = answer_bytes(received)) return *bytes;
    }
}

void measure_busy(const std::string& program, long connections, long requests, const std::string& path) {
    const http_server server{program};
    bench::move_to_another_core();
    const std::string request = request_for(path);
    const std::size_t bytes = answer_bytes(server.port, request);
    bench::closed_loop load{bench::plain_clients(connections, SOCK_STREAM, server.port, request, bytes)};
    bench::report_cpu(server.process, load, requests);
}

void measure_idle(const std::string& program, long connections) {
    const http_server server{program};
    bench::move_to_another_core();
    const std::string request = request_for("/");
    const std::size_t bytes = answer_bytes(server.port, request);
    const double before = server.process.memory_bytes();
    auto clients = bench::plain_clients(connections, SOCK_STREAM, server.port, request, bytes);
    for (auto& each : clients) {
        each.send_request();
        each.wait_for_answer();
    }
    bench::report("bytes", (server.process.memory_bytes() - before) / static_cast<double>(connections));
}

/// Raises the limit of descriptors; the server inherits it. If the hard limit is too low, the benchmark is unavailable.
void ask_for_descriptors(long connections) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < static_cast<rlim_t>(connections) + 100) std::exit(bench::exit_unavailable);
}

}  // namespace

int main(int argc, char** argv) try {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (argc == 6 && what == "busy") {
        measure_busy(bench::server_program(argv[2]), std::atol(argv[3]), std::atol(argv[4]), argv[5]);
    } else if (argc == 4 && what == "idle") {
        ask_for_descriptors(std::atol(argv[3]));
        measure_idle(bench::server_program(argv[2]), std::atol(argv[3]));
    } else {
        std::fprintf(stderr,
                     "usage: %s busy <server> <connections> <requests> <path>\n"
                     "       %s idle <server> <connections>\n",
                     argv[0], argv[0]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
} catch (const bench::server_ended& ended) {
    return ended.exit_status;
}  // for example, nginx is not available
