// The load generator of the echo benchmarks:
//
//     bench_echo_load [--udp] [--count-calls] <server> <connections> <requests>
//
// It starts the server, a program in its own folder, on the core where it was started, moves to another core, and keeps
// every connection busy: 64 bytes out, 64 bytes back. It reports the processor time of the server process per request
// after a warm-up, or, with --count-calls, the number of system calls that strace counted meanwhile.

#include "closed_loop.hpp"
#include "plain_client.hpp"
#include "server_process.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace {

struct options {
    int type = SOCK_STREAM;
    bool count_calls = false;
    std::string server;
    long connections = 0;
    long requests = 0;
};

bench::closed_loop<bench::plain_client> load_of(const options& how, std::uint16_t port) {
    static const std::string message(64, 'm');
    return bench::closed_loop{bench::plain_clients(how.connections, how.type, port, message, message.size())};
}

/// The number of calls in strace's log so far. A call that is split into two lines is counted once, where it begins.
double calls_in(const std::string& log) {
    std::ifstream lines{log};
    double calls = 0;
    for (std::string line; std::getline(lines, line);) calls += line.find("<... ") == std::string::npos;
    return calls;
}

bool strace_works() { return std::system("strace -o /dev/null true 2>/dev/null") == 0; }

void measure_cpu(const options& how) {
    const bench::server_process server{{how.server}};
    bench::move_to_another_core();
    auto load = load_of(how, server.announced_port());
    bench::report_cpu(server, load, how.requests);
}

void count_calls(const options& how) {
    const std::string log = std::filesystem::temp_directory_path() / ("echo-calls." + std::to_string(getpid()));
    {
        // With -I 2, strace ends the traced process when it is ended itself.
        const bench::server_process server{{"strace", "-I", "2", "-f", "-o", log, how.server}};
        bench::move_to_another_core();
        auto load = load_of(how, server.announced_port());
        load.exchange(how.requests / 10);
        const double before = calls_in(log);
        load.exchange(how.requests);
        bench::report("calls", (calls_in(log) - before) / static_cast<double>(how.requests));
    }
    std::filesystem::remove(log);
}

}  // namespace

int main(int argc, char** argv) {
    options how;
    int at = 1;
    if (at < argc && std::string_view{argv[at]} == "--udp") how.type = SOCK_DGRAM, ++at;
    if (at < argc && std::string_view{argv[at]} == "--count-calls") how.count_calls = true, ++at;
    if (argc - at != 3) {
        std::fprintf(stderr, "usage: %s [--udp] [--count-calls] <server> <connections> <requests>\n", argv[0]);
        return EXIT_FAILURE;
    }
    how.server = bench::server_program(argv[at]);
    how.connections = std::atol(argv[at + 1]);
    how.requests = std::atol(argv[at + 2]);
    if (how.count_calls && !strace_works()) return bench::exit_unavailable;
    how.count_calls ? count_calls(how) : measure_cpu(how);
    return EXIT_SUCCESS;
}
