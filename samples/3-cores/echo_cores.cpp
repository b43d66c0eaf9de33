// An echo server on every core: each core has a scheduler, and all of them listen on one port.
//
//     echo_cores          starts on a free port, runs its own clients, and sends itself a Ctrl-C
//     echo_cores 7000     serves on 127.0.0.1:7000 until Ctrl-C
//
//     asyncio                                              coir
//     one process per core, each with a loop               coir::run_on_cores(0, main): one thread per core
//     create_server(..., reuse_port=True) in each          tcp_listener::bind(at, {.reuse_port = true}) on each
//     os.cpu_count()                                       coir::available_cores(): respects affinity and CPU quota
//     multiprocessing.Queue                                coir::concurrent_channel<T>
//     loop.call_soon_threadsafe(f), from another thread    core.post(f), where core is a coir::scheduler_ref
//
// Fibers stay on their core, so data that only one core uses needs no lock: the counters below are plain integers.

#include <coir/coir.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using coir::net::endpoint;
using coir::net::tcp_listener;
using coir::net::tcp_stream;

struct alignas(64) count {  // one cache line per core
    long connections = 0, messages = 0;
};

void echo(tcp_stream peer, count& of_core) {
    ++of_core.connections;
    std::array<std::byte, 1024> buffer;
    while (const std::size_t n = peer.read_some(buffer)) {
        peer.write_all(std::span{buffer}.first(n));
        ++of_core.messages;
    }
}

bool gets_its_answers(const endpoint& from) {
    auto stream = tcp_stream::connect(from, 10s);
    std::array<char, 5> answer;
    for (int i = 0; i < 10; ++i) {
        stream.write_all("hello");
        if (stream.read_exactly(std::as_writable_bytes(std::span{answer}), 10s) != answer.size()) return false;
    }
    return true;
}

// Runs four hundred clients, as fibers of one core.
void play_clients(const endpoint& server) {
    const std::vector<std::function<bool()>> calls(400, [&] { return gets_its_answers(server); });
    long answered = 0;
    for (const bool well : coir::gather(calls)) answered += well ? 1 : 0;
    std::printf("%ld of %zu clients had 10 answers each\n", answered, calls.size());
    std::printf("raising SIGINT, as Ctrl-C does\n");
    std::raise(SIGINT);
}

int main(int argc, char** argv) try {
    const unsigned cores = coir::available_cores();
    const endpoint wanted = endpoint::parse("127.0.0.1:" + std::string{argc > 1 ? argv[1] : "0"});
    std::vector<count> counts(cores);
    coir::concurrent_channel<endpoint> taken{cores};  // carries the port that the first core got
    coir::concurrent_channel<unsigned> listening{cores};

    coir::run_on_cores(cores, [&](unsigned core) {
        coir::signal_set interrupt{SIGINT, SIGTERM};  // every core receives the signal
        auto listener = tcp_listener::bind(core == 0 ? wanted : taken.recv().value(), {.reuse_port = true});
        const auto server =
            coir::spawn([&] { listener.serve([&](tcp_stream peer) { echo(std::move(peer), counts[core]); }); });
        if (core > 0) {
            listening.send(core);
        } else {
            const endpoint at = listener.local_endpoint();
            std::cout << "echo server on " << at << ", on every core, until Ctrl-C" << std::endl;
            for (unsigned other = 1; other < cores; ++other) taken.send(at);
            for (unsigned other = 1; other < cores; ++other) listening.recv();
            if (argc <= 1) play_clients(at);
        }
        interrupt.wait();
    });  // here, each core has ended its server and the server's connections

    count all;
    for (const count& core : counts) all.connections += core.connections, all.messages += core.messages;
    std::printf("all cores have ended: %ld connections, %ld messages\n", all.connections, all.messages);
} catch (const std::exception& error) {
    std::cerr << "echo_cores: " << error.what() << '\n';
    return 1;
}
