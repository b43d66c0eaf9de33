// The load generator for an echo server on several cores. Each core also runs one load process:
//
//     bench_cores_load <server> <cores> <connections a core> <requests a core>
//
// It starts the server, a program in its own folder, and one load process per core, which keeps its connections busy:
// 64 bytes out, 64 bytes back. Each connection is served on the core of its client; the argument "steered" requests
// this from the server. It reports the processor time of the server per request after a warm-up, and the elapsed time.

#include "closed_loop.hpp"
#include "plain_client.hpp"
#include "server_process.hpp"

#include <atomic>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace {

struct options {
    std::string server;
    std::size_t cores = 0;
    long connections = 0;
    long requests = 0;
};

/// Shared memory of the load processes.
struct progress {
    std::atomic<std::size_t> warm{0};
    std::atomic<long> answers{0};
};

progress& shared_progress() {
    void* const memory = mmap(nullptr, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) bench::fail("mmap");
    return *new (memory) progress;
}

/// The current core, and others.
std::vector<std::size_t> some_cores(std::size_t count) {
    std::vector<std::size_t> found{static_cast<std::size_t>(sched_getcpu())};
    const auto all = static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN));
    for (std::size_t core = 0; core < all && found.size() < count; ++core) {
        if (core != found.front()) found.push_back(core);
    }
    if (found.size() < count) std::exit(bench::exit_unavailable);
    return found;
}

void stay_on(std::span<const std::size_t> cores) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    for (const std::size_t core : cores) CPU_SET(core, &allowed);
    if (sched_setaffinity(0, sizeof allowed, &allowed) != 0) std::exit(bench::exit_unavailable);
}

class load {
public:
    load(const options& how, std::uint16_t port, progress& shared)
        : clients_{bench::plain_clients(how.connections, SOCK_STREAM, port, message(), message().size())}, shared_{
                                                                                                               shared} {
        clients_.exchange(how.requests / 10);
        ++shared_.warm;
    }

    void exchange_some() {
        constexpr long some = 100;
        clients_.exchange(some);
        shared_.answers.fetch_add(some, std::memory_order_relaxed);
    }

private:
    static const std::string& message() {
        static const std::string text(64, 'm');
        return text;
    }

    bench::closed_loop<bench::plain_client> clients_;
    progress& shared_;
};

/// Starts a load process on a core; it runs until it is killed.
pid_t start_load(const options& how, std::uint16_t port, progress& shared, std::size_t core) {
    const pid_t made = fork();
    if (made < 0) bench::fail("fork");
    if (made != 0) return made;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    stay_on({&core, 1});
    for (load each{how, port, shared};;) each.exchange_some();
}

void measure(const options& how) {
    const std::vector<std::size_t> cores = some_cores(how.cores);
    stay_on(cores);
    const bench::server_process server{{how.server, "steered"}};
    const std::uint16_t port = server.announced_port();
    progress& shared = shared_progress();
    std::vector<pid_t> others;
    for (std::size_t i = 1; i < cores.size(); ++i) others.push_back(start_load(how, port, shared, cores[i]));
    stay_on({cores.data(), 1});
    load own{how, port, shared};
    while (shared.warm < cores.size()) own.exchange_some();

    const long first = shared.answers;
    const double spent = server.cpu_seconds();
    const auto began = bench::wall_clock::now();
    const long last = first + how.requests * static_cast<long>(how.cores);
    while (shared.answers < last) own.exchange_some();
    const double requests = static_cast<double>(shared.answers - first);
    bench::report("wall", bench::seconds_since(began) * 1e6 / requests);
    bench::report("us", (server.cpu_seconds() - spent) * 1e6 / requests);
    for (const pid_t each : others) kill(each, SIGKILL);
    for (const pid_t each : others) waitpid(each, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s <server> <cores> <connections a core> <requests a core>\n", argv[0]);
        return EXIT_FAILURE;
    }
    measure(
        {bench::server_program(argv[1]), std::strtoul(argv[2], nullptr, 10), std::atol(argv[3]), std::atol(argv[4])});
    return EXIT_SUCCESS;
}
