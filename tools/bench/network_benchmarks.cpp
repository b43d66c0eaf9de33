#include "benchmarks.hpp"

#include <utility>

namespace bench {
namespace {

/// Contenders for servers, given by name and program, under the same load. `full` and `smoke` follow the program on the
/// command line.
std::vector<contender> servers(const std::vector<std::pair<std::string, std::string>>& names_and_programs,
                               const std::string& load, const std::string& full, const std::string& smoke) {
    std::vector<contender> made;
    for (const auto& [name, program] : names_and_programs)
        made.push_back({name, load + " " + program + " " + full, load + " " + program + " " + smoke});
    return made;
}

const std::vector<std::pair<std::string, std::string>> tcp_servers{
    {"coir", "bench_echo_coir"}, {"epoll loop", "bench_echo_epoll"}, {"Asio callbacks", "bench_echo_asio"}};

benchmark tcp_echo() {
    return {
        .name = "TCP echo, 100 connections",
        .contenders = servers(tcp_servers, "bench_echo_load", "100 200000", "10 1000"),
        .lines = {
            {.label = "us of CPU per request", .metric = "us", .against = {{"epoll loop", 1.05}, {"Asio callbacks"}}}}};
}

benchmark tcp_echo_calls() {
    return {.name = "TCP echo, 100 connections",
            .contenders = servers(tcp_servers, "bench_echo_load --count-calls", "100 20000", "10 500"),
            .lines = {{.label = "system calls per request",
                       .metric = "calls",
                       .against = {{"epoll loop"}, {"Asio callbacks"}},
                       .limit = 2.2}}};
}

/// The throughput of two cores is twice that of one, divided by the ratio of the cost per request: a ratio of 1.11
/// means 1.8 times.
benchmark tcp_echo_on_two_cores() {
    return {.name = "TCP echo, two schedulers, 100 connections",
            .contenders = servers({{"coir", "bench_echo_cores"}, {"one scheduler", "bench_echo_coir"}},
                                  "bench_echo_load", "100 200000", "10 1000"),
            .lines = {{.label = "us of CPU per request", .metric = "us", .against = {{"one scheduler", 1.11}}}}};
}

/// Each core has the same number of clients of its own. The target: two cores serve 1.8 times the requests of one.
benchmark tcp_echo_core_by_core() {
    return {.name = "TCP echo on two cores, 100 connections each",
            .contenders = {{"coir", "bench_cores_load bench_echo_cores 2 100 200000",
                            "bench_cores_load bench_echo_cores 2 10 1000"},
                           {"one core", "bench_cores_load bench_echo_coir 1 100 200000",
                            "bench_cores_load bench_echo_coir 1 10 1000"}},
            .lines = {{.label = "us per request", .metric = "wall", .against = {{"one core", 1 / 1.8}}},
                      {.label = "us of CPU per request", .metric = "us", .against = {{"one core", 1.11}}}}};
}

benchmark udp_echo() {
    return {.name = "UDP echo, 100 sockets",
            .contenders = servers({{"coir", "bench_udp_coir"}, {"epoll loop", "bench_udp_epoll"}},
                                  "bench_echo_load --udp", "100 300000", "10 1000"),
            .lines = {{.label = "us of CPU per request", .metric = "us", .against = {{"epoll loop", 1.1}}}}};
}

benchmark tls_echo() {
    return {.name = "TLS echo, 100 connections",
            .contenders = servers({{"coir", "bench_tls_coir"}, {"OpenSSL loop", "bench_tls_epoll"}}, "bench_tls_load",
                                  "100 200000", "10 1000"),
            .lines = {{.label = "us of CPU per request", .metric = "us", .against = {{"OpenSSL loop", 1.1}}}}};
}

benchmark tls_stack(const std::string& side, const std::string& key) {
    const std::string command = "bench_tls_stack " + side + " " + key;
    return {.name = "stack of a TLS handshake, " + side + ", " + key,
            .contenders = {{"coir", command, command}},
            .lines = {{.label = "bytes", .metric = "bytes", .against = {}}}};
}

const std::vector<std::pair<std::string, std::string>> http_servers{{"coir", "../../apps/http_server"},
                                                                    {"nginx", "serve_nginx"}};

benchmark http_hello() {
    return {.name = "HTTP, 13 bytes",
            .contenders = servers(http_servers, "bench_http_load busy", "100 200000 /", "10 1000 /"),
            .lines = {{.label = "us of CPU per request", .metric = "us", .against = {{"nginx", 1.25}}}}};
}

benchmark http_file() {
    return {.name = "HTTP, a file of 1 MiB",
            .contenders =
                servers(http_servers, "bench_http_load busy", "100 5000 /files/mebibyte", "10 50 /files/mebibyte"),
            .lines = {{.label = "us of CPU per request", .metric = "us", .against = {{"nginx"}}}}};
}

benchmark http_idle() {
    return {.name = "HTTP, 10,000 idle connections",
            .contenders = servers(http_servers, "bench_http_load idle", "10000", "100"),
            .lines = {{.label = "bytes each", .metric = "bytes", .against = {{"nginx"}}, .limit = 10'240}}};
}

}  // namespace

std::vector<benchmark> network_benchmarks() {
    return {tcp_echo(),
            tcp_echo_calls(),
            tcp_echo_on_two_cores(),
            tcp_echo_core_by_core(),
            udp_echo(),
            tls_echo(),
            tls_stack("server", "ecdsa"),
            tls_stack("server", "rsa"),
            tls_stack("client", "ecdsa"),
            tls_stack("client", "rsa"),
            http_hello(),
            http_file(),
            http_idle()};
}

}  // namespace bench
